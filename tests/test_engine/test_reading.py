"""Checkpoints are read without running what is in them, from wherever mmengine can read, and damage is named."""
import os
import pickle
import runpy
import struct
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.apis import init_model
from mmseg.registry import MODELS
from toolbox import CONFIGS, tiny_config, tiny_segmentor

import mmuda.engine.reading as reading
from mmuda.engine.checkpoint import latest_checkpoint
from mmuda.engine.launch import build_runner
from mmuda.engine.reading import UntrustedCheckpoint, read_checkpoint


class Trap:
    """Unpickling it writes a file."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


def trap(tmp_path):
    marker = tmp_path / 'marker'
    torch.save(dict(state_dict={}, meta=dict(trap=Trap(marker))), tmp_path / 'trap.pth')
    assert not marker.exists()
    return tmp_path / 'trap.pth', marker


def test_the_trap_would_work(tmp_path):
    path, marker = trap(tmp_path)
    torch.load(path, weights_only=False)
    assert marker.exists()


def test_objects_are_not_unpickled(tmp_path):
    path, marker = trap(tmp_path)
    with pytest.raises(RuntimeError, match=r'trap.pth is not a plain checkpoint.*is refused'):
        read_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize('kind', ['Pretrained', 'DeepLabPretrained'])
def test_init_cfg_does_not_unpickle_objects_either(tmp_path, kind):
    path, marker = trap(tmp_path)
    cfg = tiny_segmentor()
    cfg.backbone.init_cfg = dict(type=kind, checkpoint=str(path))
    init_default_scope('mmseg')
    with pytest.raises(RuntimeError, match='is not a plain checkpoint'):
        MODELS.build(cfg).init_weights()
    assert not marker.exists()


@pytest.mark.parametrize('scheme, listing, prefix', [
    ('open-mmlab://', 'get_external_models', ''), ('mmcls://', 'get_mmcls_models', 'file://')])
def test_other_schemes_do_not_unpickle_objects_either(tmp_path, monkeypatch, scheme, listing, prefix):
    """Those of mmengine reach loaders that would fall back to full unpickling."""
    path, marker = trap(tmp_path)
    torch.save({'backbone.a': torch.ones(1)}, tmp_path / 'plain.pth')
    urls = dict(trap=f'{prefix}{path}', plain=f'{prefix}{tmp_path}/plain.pth')
    monkeypatch.setattr(f'mmengine.runner.checkpoint.{listing}', lambda: urls)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    with pytest.raises(RuntimeError, match='trap.pth is not a plain checkpoint: it holds io.open'):
        CheckpointLoader.load_checkpoint(f'{scheme}trap')
    assert not marker.exists() and 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ
    assert CheckpointLoader.load_checkpoint(f'{scheme}plain')


@pytest.mark.parametrize('tool, arguments', [
    ('test.py', ['{config}', '{path}', '{path}']), ('pseudo_label.py', ['{config}', '{path}', '--num-workers', '0', '--portion', '0.2']),
    ('publish_model.py', ['{path}', 'out.pth']), ('model_converters/advent.py', ['{path}', 'out.pth'])])
def test_tools_do_not_unpickle_objects(tmp_path, minicity, monkeypatch, tool, arguments):
    path, marker = trap(tmp_path)
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    places = dict(config=CONFIGS / 'source_only/minicity.py', path=path)
    script = CONFIGS.parent / 'tools' / tool
    monkeypatch.setattr('sys.argv', [str(script), *(argument.format(**places) for argument in arguments)])
    monkeypatch.chdir(tmp_path)
    with pytest.raises((RuntimeError, SystemExit)):
        runpy.run_path(str(script), run_name='__main__')
    assert not marker.exists()


@pytest.mark.parametrize('action', ['train', 'test', 'resume', 'init_model'])
def test_nothing_that_is_given_a_checkpoint_unpickles_objects(tmp_path, minicity, action):
    path, marker = trap(tmp_path)
    cfg = tiny_config('source_only', minicity, tmp_path / 'work')
    with pytest.raises(RuntimeError, match='is not a plain checkpoint'):
        if action == 'init_model':
            init_model(cfg, str(path), device='cpu')
        elif action == 'resume':
            cfg.resume = str(path)
            build_runner(cfg).train()
        else:
            cfg.load_from = str(path)
            getattr(build_runner(cfg), action)()
    assert not marker.exists()


def test_getattr_in_a_file_reaches_log_buffers_only(tmp_path):
    class Reach:
        def __reduce__(self):
            return getattr, (HistoryBuffer, '__init__')

    torch.save(dict(state_dict={}, reach=Reach()), tmp_path / 'reach.pth')
    with pytest.raises(RuntimeError, match='not a plain checkpoint'):
        read_checkpoint(tmp_path / 'reach.pth')


def test_what_mmengine_writes_is_read(tmp_path):
    buffer = HistoryBuffer()
    buffer.update(1.5)
    arrays = dict(
        rows=np.arange(6.).reshape(2, 3), columns=np.asfortranarray(np.eye(2, 3, dtype=np.float32)), big=np.arange(3, dtype='>i4'),
        flags=np.array([True, False]), point=np.array(5), none=np.zeros((0, 3)), number=np.float64(3.), count=np.int64(2))
    buffers = dict(loss=buffer, never=HistoryBuffer())
    torch.save(dict(state_dict={}, message_hub=dict(log_scalars=buffers), some=[arrays, (np.uint8(1), )]), tmp_path / 'a.pth')
    content = read_checkpoint(tmp_path / 'a.pth')
    back = content['message_hub']['log_scalars']
    assert back['loss'].current() == 1.5 and back['loss'].statistics('mean') == 1.5 and len(back['never'].data[0]) == 0
    found, (one, ) = content['some']
    for name, array in arrays.items():
        assert type(found[name]) is type(array) and found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert one == 1 and found['rows'].flags.writeable
    torch.save(content, tmp_path / 'again.pth')
    assert read_checkpoint(tmp_path / 'again.pth')['message_hub']['log_scalars']['loss'].current() == 1.5


def text(value: str) -> bytes:
    return b'X' + struct.pack('<I', len(value)) + value.encode()


def dtype(code: str) -> bytes:
    return b'cnumpy\ndtype\n' + text(code) + b'\x89\x88\x87R'


RAW = b'c_codecs\nencode\n' + text('A' * 8) + text('latin1') + b'\x86R'
OBJECTS = b'cnumpy\nndarray\n(K\x01\x85' + dtype('O8') + RAW + b'tR'
BEGUN = b'cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85' + text('b') + b'\x87R'
NESTED = b'(K\x03' + text('<') + dtype('O8') + b'K\x01\x85\x86NNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'


@pytest.mark.parametrize('payload', [
    OBJECTS,
    b'cmmengine.logging.history_buffer\nHistoryBuffer\n' + OBJECTS + OBJECTS + b'\x86R',
    BEGUN + b'(K\x01K\x01\x85' + dtype('O8') + b'\x89' + RAW + b'tb',
    BEGUN + b'(K\x01K\x01\x85' + dtype('f8') + NESTED + b'\x89' + RAW + b'tb',
    BEGUN + b'(K\x01K\x40\x85' + dtype('f8') + b'\x89' + RAW + b'tb',
    b'cnumpy._core.multiarray\nscalar\n' + dtype('O8') + RAW + b'\x86R',
    b'cnumpy\nndarray\n(\x8a\x06' + (2**40).to_bytes(6, 'little') + b'\x85' + dtype('u1') + b'tR',
    b'cbuiltins\ngetattr\ncmmengine.logging.history_buffer\nHistoryBuffer\n' + text('__init__') + b'\x86R',
], ids=['buffer', 'history', 'objects', 'nested', 'too_few', 'scalar', 'huge', 'getattr'])
@pytest.mark.parametrize('through', ['read_checkpoint', 'mmengine'])
def test_arrays_in_files_cannot_forge_objects(tmp_path, payload, through, monkeypatch):
    """NumPy's own types make objects out of the numbers they are given: one such file ends the process, or worse."""
    torch.save(dict(a=torch.rand(1)), tmp_path / 'plain.pth')
    with zipfile.ZipFile(tmp_path / 'plain.pth') as plain, zipfile.ZipFile(tmp_path / 'forged.pth', 'w') as forged:
        for name in plain.namelist():
            forged.writestr(name, b'\x80\x02' + payload + b'.' if name.endswith('data.pkl') else plain.read(name))
    if through == 'read_checkpoint':
        try:
            content = read_checkpoint(tmp_path / 'forged.pth')
        except RuntimeError as error:
            assert 'forged.pth' in str(error)
        else:
            assert isinstance(content, np.ndarray) and content.size == 0, 'the arguments of a stand-in mean nothing'
    else:
        from mmengine.runner import checkpoint
        with open(tmp_path / 'forged.pth', 'rb') as file:
            try:
                assert checkpoint._safe_torch_load(file).size == 0
            except RuntimeError as error:
                assert 'the checkpoint' in str(error)


def test_what_others_allow_is_not_lost(tmp_path):
    """Somebody's real ``np.ndarray`` must not stand for ours while a file is read, and is back afterwards."""
    torch.save(dict(a=np.arange(3.)), tmp_path / 'a.pth')
    with torch.serialization.safe_globals([np.ndarray, (os.getcwd, 'somewhere.getcwd')]):
        before = set(torch.serialization.get_safe_globals())
        np.testing.assert_array_equal(read_checkpoint(tmp_path / 'a.pth')['a'], np.arange(3.))
        assert set(torch.serialization.get_safe_globals()) == before


def test_resuming_does_not_execute_text(tmp_path, minicity):
    """mmengine executes ``meta.config`` of a checkpoint as a Python config when it resumes."""
    cfg = tiny_config('source_only', minicity, tmp_path / 'work')
    build_runner(cfg).train()
    path, marker = latest_checkpoint(tmp_path / 'work'), tmp_path / 'marker'
    content = read_checkpoint(path)
    content['meta']['config'] = f'open({str(marker)!r}, "w")'
    torch.save(content, path)
    cfg.resume = path
    cfg.train_cfg.max_iters += 1
    build_runner(cfg).train()
    assert not marker.exists()


@pytest.mark.parametrize('content, protocol, message', [
    (dict(a=torch.rand(2)), 4, r'holds more than weights, or is damaged \(Unsupported operand 149\)'),
    (dict(a=np.array(['text'])), 2, 'arrays of .U4. of numpy'),
    (dict(a=Exception('a')), 2, r'it holds \w+\.Exception'),
])
def test_what_needs_full_unpickling_is_not_called_damaged(tmp_path, content, protocol, message):
    path = tmp_path / 'a.pth'
    torch.save(content, path, pickle_protocol=protocol)
    with pytest.raises(UntrustedCheckpoint, match=f'a.pth is not a plain checkpoint: .*{message}.*is refused'):
        read_checkpoint(path)
    assert read_checkpoint(path, trust=True)


def test_torchscript_is_named(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), tmp_path / 'module.pt')
    with pytest.raises(RuntimeError, match='module.pt is a module of TorchScript, not a checkpoint: save the state_dict'):
        read_checkpoint(tmp_path / 'module.pt')


def test_old_files_are_read(tmp_path):
    torch.save(dict(a=torch.ones(2)), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / 'old.pth')['a'].sum() == 2
    torch.save(dict(a=Exception()), tmp_path / 'trap.pth', _use_new_zipfile_serialization=False)
    with pytest.raises(UntrustedCheckpoint, match=r'it holds \w+\.Exception'):
        read_checkpoint(tmp_path / 'trap.pth')


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 torn', pickle.dumps([1])[:5]])
def test_torn_files_are_named(tmp_path, content):
    path = tmp_path / 'torn.pth'
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match='torn.pth (cannot be read|is no checkpoint of PyTorch)'):
        read_checkpoint(path)


def test_a_truncated_checkpoint_is_named(tmp_path):
    path = tmp_path / 'cut.pth'
    torch.save(dict(state_dict=dict(a=torch.rand(1000))), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(RuntimeError, match='cut.pth cannot be read as a checkpoint'):
        read_checkpoint(path)


@pytest.mark.parametrize('legacy', [False, True])
def test_no_flipped_bit_ends_in_anything_but_one_error(tmp_path, legacy):
    buffer = HistoryBuffer()
    buffer.update(1.5)
    torch.save(dict(state_dict=dict(a=torch.rand(3, 4)), meta=dict(iter=1), log=buffer, number=np.float64(2)), tmp_path / 'whole.pth',
               _use_new_zipfile_serialization=not legacy)
    content, random = (tmp_path / 'whole.pth').read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        flipped = bytearray(content)
        flipped[random.integers(len(content))] ^= 1 << random.integers(8)
        (tmp_path / 'flipped.pth').write_bytes(flipped)
        try:
            read_checkpoint(tmp_path / 'flipped.pth')
        except RuntimeError as error:
            assert 'flipped.pth' in str(error) and type(error) in (RuntimeError, UntrustedCheckpoint)
            refused += 1
    assert refused > 50


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.pth does not exist'):
        read_checkpoint(tmp_path / 'nowhere.pth')


def test_offline_download_says_what_to_do(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError('Name or service not known')

    monkeypatch.setattr(torch.hub, 'download_url_to_file', refuse)
    monkeypatch.setattr(reading, 'get_dir', lambda: str(tmp_path))
    with pytest.raises(RuntimeError, match=r'could not be downloaded .*put it at .*net-0123abcd.pth.*init_cfg=None'):
        reading.load_from_http('https://example.invalid/net-0123abcd.pth')


def test_a_file_in_the_cache_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, 'get_dir', lambda: str(tmp_path))
    os.makedirs(tmp_path / 'checkpoints')
    torch.save(dict(a=torch.ones(1)), tmp_path / 'checkpoints/net.pth')
    assert reading.load_from_http('https://example.invalid/net.pth')['a'] == 1


def test_a_download_is_checked_against_the_hash_in_its_name(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(torch.hub, 'download_url_to_file',
                        lambda url, path, hash_prefix, progress: (asked.append(hash_prefix), torch.save({}, path)))
    monkeypatch.setattr(reading, 'get_dir', lambda: str(tmp_path))
    reading.load_from_http('https://example.invalid/init-f81d91e8.pth')
    reading.load_from_http('https://example.invalid/init.pth')
    assert asked == ['f81d91e8', None]
