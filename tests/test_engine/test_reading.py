"""Checkpoints are read without running what is in them, from wherever mmengine can read, and damage is named."""

import os
import pickle
import runpy
import sys

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.apis import init_model
from mmseg.registry import MODELS
from toolbox import CONFIGS, tiny_config, tiny_segmentor

import mmuda.checkpoints.reading as reading
from mmuda.checkpoints.reading import UntrustedCheckpoint, read_checkpoint
from mmuda.engine.launch import build_runner


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


@pytest.mark.parametrize(
    'scheme, listing, prefix',
    [('open-mmlab://', 'get_external_models', ''), ('mmcls://', 'get_mmcls_models', 'file://')],
)
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


@pytest.mark.parametrize(
    'tool, arguments',
    [
        ('test.py', ['{config}', '{path}', '{path}']),
        ('pseudo_label.py', ['{config}', '{path}', '--num-workers', '0', '--portion', '0.2']),
        ('publish_model.py', ['{path}', 'out.pth']),
        ('model_converters/advent.py', ['{path}', 'out.pth']),
    ],
)
def test_tools_do_not_unpickle_objects(tmp_path, minicity, monkeypatch, tool, arguments):
    path, marker = trap(tmp_path)
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    monkeypatch.setenv('LOCAL_RANK', '0')  # which the tools set for good
    monkeypatch.setattr('sys.path', list(sys.path))
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
        rows=np.arange(6.0).reshape(2, 3),
        columns=np.asfortranarray(np.eye(2, 3, dtype=np.float32)),
        big=np.arange(3, dtype='>i4'),
        flags=np.array([True, False]),
        point=np.array(5),
        none=np.zeros((0, 3)),
        number=np.float64(3.0),
        count=np.int64(2),
    )
    buffers = dict(loss=buffer, never=HistoryBuffer())
    torch.save(
        dict(state_dict={}, message_hub=dict(log_scalars=buffers), some=[arrays, (np.uint8(1),)]), tmp_path / 'a.pth'
    )
    content = read_checkpoint(tmp_path / 'a.pth')
    back = content['message_hub']['log_scalars']
    assert back['loss'].current() == 1.5 and back['loss'].statistics('mean') == 1.5 and len(back['never'].data[0]) == 0
    found, (one,) = content['some']
    for name, array in arrays.items():
        assert type(found[name]) is type(array) and found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert one == 1 and found['rows'].flags.writeable
    torch.save(content, tmp_path / 'again.pth')
    assert read_checkpoint(tmp_path / 'again.pth')['message_hub']['log_scalars']['loss'].current() == 1.5


@pytest.mark.parametrize(
    'content, protocol, message',
    [
        (dict(a=torch.rand(2)), 4, r'holds more than weights, or is damaged \(Unsupported operand 149\)'),
        (dict(a=np.array(['text'])), 2, 'arrays of .U4. of numpy'),
        (dict(a=Exception('a')), 2, r'it holds \w+\.Exception'),
    ],
)
def test_what_needs_full_unpickling_is_not_called_damaged(tmp_path, content, protocol, message):
    path = tmp_path / 'a.pth'
    torch.save(content, path, pickle_protocol=protocol)
    with pytest.raises(UntrustedCheckpoint, match=f'a.pth is not a plain checkpoint: .*{message}.*is refused'):
        read_checkpoint(path)
    assert read_checkpoint(path, trust=True)


def test_torchscript_is_named(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), tmp_path / 'module.pt')
    with pytest.raises(
        RuntimeError, match='module.pt is a module of TorchScript, not a checkpoint: save the state_dict'
    ):
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
    monkeypatch.setattr(
        torch.hub,
        'download_url_to_file',
        lambda url, path, hash_prefix, progress: (asked.append(hash_prefix), torch.save({}, path)),
    )
    monkeypatch.setattr(reading, 'get_dir', lambda: str(tmp_path))
    reading.load_from_http('https://example.invalid/init-f81d91e8.pth')
    reading.load_from_http('https://example.invalid/init.pth')
    assert asked == ['f81d91e8', None]
