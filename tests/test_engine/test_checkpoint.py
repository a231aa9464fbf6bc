"""Reading checkpoints: safe, strict, and clear about what is wrong."""
import os
import pickle
import runpy

import pytest
import torch
from toolbox import CONFIGS, tiny_adaptor, tiny_config, tiny_segmentor
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.apis import init_model
from mmseg.registry import MODELS

import mmuda.engine.reading as reading
from mmuda.engine.checkpoint import latest_checkpoint, load_weights
from mmuda.engine.launch import build_runner
from mmuda.engine.publish import publish
from mmuda.engine.reading import read_checkpoint
from mmuda.models import BaseAdaptor


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
    with pytest.raises(RuntimeError, match=f'{scheme}trap is not a plain checkpoint'):
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
    torch.save(dict(state_dict={}, message_hub=dict(log_scalars=dict(loss=buffer))), tmp_path / 'a.pth')
    back = read_checkpoint(tmp_path / 'a.pth')['message_hub']['log_scalars']['loss']
    assert back.current() == 1.5 and back.statistics('mean') == 1.5


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


def test_latest_is_what_was_written_last(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    for name in ('iter_9.pth', 'iter_10.pth', 'iter_11.pth.part', 'iter_x.pth', 'other_99.pth'):
        (tmp_path / name).touch()
    assert latest_checkpoint(tmp_path).endswith('iter_10.pth'), 'without a note: the highest number'
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_9.pth')
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'iter_9.pth')
    for torn in ('', '/elsewhere/iter_', '/elsewhere/iter_7.pth'):
        (tmp_path / 'last_checkpoint').write_text(torn)
        assert latest_checkpoint(tmp_path).endswith('iter_10.pth')


def test_a_plain_mmseg_checkpoint_goes_into_the_segmentor():
    adaptor = tiny_adaptor('ADVENT')
    weights = {key: torch.full_like(value, 3) for key, value in MODELS.build(tiny_segmentor()).state_dict().items()}
    left_out = load_weights(adaptor, dict(state_dict=weights), 'plain.pth')
    assert left_out == ['aux_discriminator', 'discriminator']
    assert all((value == 3).all() for value in adaptor.segmentor.state_dict().values())


def test_an_adaptor_checkpoint_goes_into_a_plain_segmentor_and_other_adaptors():
    state = tiny_adaptor('ADVENT').state_dict()
    segmentor = MODELS.build(tiny_segmentor())
    load_weights(segmentor, dict(state_dict=state), 'x.pth')
    assert torch.equal(segmentor.backbone.conv1.weight, state['segmentor.backbone.conv1.weight'])
    assert load_weights(tiny_adaptor('MinEnt'), dict(state_dict=state), 'x.pth') == ['aux_discriminator', 'discriminator']
    with pytest.raises(RuntimeError, match='unexpected: .*discriminator.convs'):
        load_weights(tiny_adaptor('MinEnt'), dict(state_dict=state), 'x.pth', strict=True)


@pytest.mark.parametrize('change, message', [
    (lambda state: state.pop('segmentor.backbone.conv1.weight'), 'missing: segmentor.backbone.conv1.weight'),
    (lambda state: state.update({'segmentor.new': torch.zeros(1)}), 'unexpected: segmentor.new'),
    (lambda state: state.update({'segmentor.decode_head.branches.0.bias': torch.zeros(7)}),
     r'another shape \(checkpoint, model\): segmentor.decode_head.branches.0.bias \(7,\) \(4,\)'),
    (lambda state: state.pop('discriminator.convs.0.bias'), 'missing: discriminator.convs.0.bias'),
])
def test_every_mismatch_is_listed(change, message):
    adaptor = tiny_adaptor('ADVENT')
    before = {key: value.clone() for key, value in adaptor.state_dict().items()}
    state = {key: value + 1 for key, value in adaptor.state_dict().items()}
    change(state)
    with pytest.raises(RuntimeError, match=message):
        load_weights(adaptor, dict(state_dict=state), 'x.pth')
    assert all(torch.equal(before[key], value) for key, value in adaptor.state_dict().items()), 'nothing is half loaded'


class WithState(BaseAdaptor):
    """A method with a teacher, which has batch-norm, and a buffer of its own."""

    def __init__(self, **kwargs) -> None:
        super().__init__(tiny_segmentor(), **kwargs)
        self.teacher = MODELS.build(tiny_segmentor())
        self.register_buffer('prototypes', torch.ones(4, 8))
        self.freeze('teacher')

    def adapt(self, source, target):
        yield 'segmentor', self.supervised_losses(self.segment(source), source)


def test_state_that_only_one_side_has_is_left_out_and_told():
    plain, rich = tiny_adaptor('SourceOnly'), WithState()
    assert load_weights(rich, dict(state_dict=plain.state_dict()), 'x.pth') == ['prototypes', 'teacher']
    assert torch.equal(rich.segmentor.backbone.conv1.weight, plain.segmentor.backbone.conv1.weight)
    assert load_weights(plain, dict(state_dict=rich.state_dict()), 'x.pth') == ['prototypes', 'teacher']
    assert load_weights(rich, dict(state_dict=rich.state_dict()), 'x.pth', strict=True) == []
    with pytest.raises(RuntimeError, match='missing: prototypes, teacher'):
        load_weights(rich, dict(state_dict=plain.state_dict()), 'x.pth', strict=True)


def test_old_files_without_batch_counters_load():
    adaptor = tiny_adaptor('SourceOnly')
    state = {key: value for key, value in adaptor.state_dict().items() if not key.endswith('num_batches_tracked')}
    load_weights(adaptor, dict(state_dict=state), 'old.pth')


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


@pytest.mark.parametrize('prefix', ['Scale.', ''])
def test_papers_starting_points(tmp_path, prefix):
    cfg = tiny_segmentor()
    source = MODELS.build(cfg).backbone
    for value in source.parameters():
        torch.nn.init.normal_(value)
    weights = {prefix + key: value for key, value in source.state_dict().items() if 'num_batches' not in key}
    weights[prefix + 'layer5.conv2d_list.0.weight'] = torch.zeros(21, 2048, 3, 3)
    torch.save(weights, tmp_path / 'init.pth')
    cfg.backbone.init_cfg = dict(type='DeepLabPretrained', checkpoint=str(tmp_path / 'init.pth'))
    init_default_scope('mmseg')
    net = MODELS.build(cfg)
    net.init_weights()
    for key, value in net.backbone.state_dict().items():
        if 'num_batches' not in key:
            assert torch.equal(value, source.state_dict()[key]), key

    del weights[prefix + 'layer3.0.conv1.weight']
    torch.save(weights, tmp_path / 'init.pth')
    with pytest.raises(RuntimeError, match='1 weights are missing .layer3.0.conv1.weight.*init_cfg=None'):
        MODELS.build(cfg).init_weights()


def test_publish(tmp_path):
    adaptor = tiny_adaptor('ADVENT')
    torch.save(dict(state_dict=adaptor.state_dict(), optimizer={}, meta=dict(iter=5, cfg='x', time='now')),
               tmp_path / 'iter_5.pth')
    written = publish(tmp_path / 'iter_5.pth', tmp_path / 'out/advent.pth')
    content = read_checkpoint(written)
    assert set(content) == {'state_dict', 'meta'} and content['meta'] == dict(iter=5, cfg='x')
    plain = MODELS.build(dict(tiny_segmentor(), type='EncoderDecoder'))
    plain.load_state_dict(content['state_dict'])
    assert len(written.stem.split('-')[-1]) == 8 and list(written.parent.iterdir()) == [written]
    torch.save(dict(state_dict=plain.state_dict()), tmp_path / 'plain.pth')
    with pytest.raises(RuntimeError, match="holds no segmentor|holds no weights below 'segmentor.'"):
        publish(tmp_path / 'plain.pth', tmp_path / 'out/x.pth')
