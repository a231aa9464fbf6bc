"""Safe reading in all loaders of mmengine, whatever the prefix of the path."""

import os
import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.apis import init_model
from mmseg.registry import MODELS
from toolbox import CONFIGS, tiny_config, tiny_segmentor
from traps import trap

from mmuda.checkpoints import UntrustedCheckpoint, install_safe_loading, safe_loading
from mmuda.engine.launch import build_runner
from mmuda.internals import checkpoint_loaders


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
    """mmengine's other prefixes use loaders that fall back to full unpickling; none of them unpickles objects here."""
    path, marker = trap(tmp_path)
    torch.save({'backbone.a': torch.ones(1)}, tmp_path / 'plain.pth')
    urls = dict(trap=f'{prefix}{path}', plain=f'{prefix}{tmp_path}/plain.pth')
    monkeypatch.setattr(f'mmengine.runner.checkpoint.{listing}', lambda: urls)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    with pytest.raises(RuntimeError, match='trap.pth is not a plain checkpoint: it holds _?io.open'):
        CheckpointLoader.load_checkpoint(f'{scheme}trap')
    assert not marker.exists() and 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ
    assert CheckpointLoader.load_checkpoint(f'{scheme}plain')


@pytest.fixture
def restored_loaders():
    """Restore mmengine's table of loaders after the test."""
    before = checkpoint_loaders()
    yield
    CheckpointLoader._schemes = before


def test_a_loader_that_is_registered_later_is_covered_by_another_call(tmp_path, restored_loaders):
    path, marker = trap(tmp_path)

    @CheckpointLoader.register_scheme(prefixes='shelf://')
    def load_from_shelf(filename, map_location=None):
        """Unpickle any object, as the loader of a plug-in might."""
        return torch.load(tmp_path / filename[len('shelf://') :], map_location, weights_only=False)

    install_safe_loading()
    with pytest.raises(UntrustedCheckpoint, match='shelf://trap.pth is not a plain checkpoint: it holds _?io.open'):
        CheckpointLoader.load_checkpoint('shelf://trap.pth')
    assert not marker.exists()
    torch.save(dict(a=np.arange(3.0)), tmp_path / 'plain.pth')
    np.testing.assert_array_equal(CheckpointLoader.load_checkpoint('shelf://plain.pth')['a'], np.arange(3.0))


def test_installing_again_changes_nothing(restored_loaders):
    before = checkpoint_loaders()
    install_safe_loading()
    assert checkpoint_loaders() == before and len(before) > 5


def test_importing_mmuda_installs_it_and_mmengine_alone_would_unpickle(tmp_path):
    path, marker = trap(tmp_path)
    code = (
        'import sys, warnings; warnings.simplefilter("ignore")\n'
        'from mmengine.runner.checkpoint import CheckpointLoader\n'
        'if sys.argv[2] == "yes": import mmuda\n'
        'CheckpointLoader.load_checkpoint(sys.argv[1])'
    )
    for imported in ('yes', 'no'):
        done = subprocess.run([sys.executable, '-c', code, str(path), imported], capture_output=True, text=True)
        assert ('UntrustedCheckpoint' in done.stderr) == (imported == 'yes'), done.stderr
        assert marker.exists() == (imported == 'no')


@pytest.mark.parametrize(
    'tool, arguments',
    [
        ('test.py', ['{config}', '{path}', '{path}']),
        ('pseudo_label.py', ['{config}', '{path}', '--num-workers', '0', '--portion', '0.2']),
        ('publish_model.py', ['{path}', 'out.pth']),
        ('convert.py', ['advent', '{path}', 'out.pth']),
        ('model_converters/advent.py', ['{path}', 'out.pth']),
    ],
)
def test_tools_do_not_unpickle_objects(tmp_path, minicity, monkeypatch, tool, arguments):
    path, marker = trap(tmp_path)
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    monkeypatch.setenv('LOCAL_RANK', '0')  # the tools set it permanently
    monkeypatch.setattr('sys.path', [str(CONFIGS.parent / 'tools'), *sys.path])
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


def test_offline_download_says_what_to_do(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError('Name or service not known')

    monkeypatch.setattr(torch.hub, 'download_url_to_file', refuse)
    monkeypatch.setattr(safe_loading, 'get_dir', lambda: str(tmp_path))
    with pytest.raises(RuntimeError, match=r'could not be downloaded .*put it at .*net-0123abcd.pth.*init_cfg=None'):
        safe_loading.load_from_http('https://example.invalid/net-0123abcd.pth')


def test_a_file_in_the_cache_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_loading, 'get_dir', lambda: str(tmp_path))
    os.makedirs(tmp_path / 'checkpoints')
    torch.save(dict(a=torch.ones(1)), tmp_path / 'checkpoints/net.pth')
    assert safe_loading.load_from_http('https://example.invalid/net.pth')['a'] == 1


def test_a_download_is_checked_against_the_hash_in_its_name(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        torch.hub,
        'download_url_to_file',
        lambda url, path, hash_prefix, progress: (asked.append(hash_prefix), torch.save({}, path)),
    )
    monkeypatch.setattr(safe_loading, 'get_dir', lambda: str(tmp_path))
    safe_loading.load_from_http('https://example.invalid/init-f81d91e8.pth')
    safe_loading.load_from_http('https://example.invalid/init.pth')
    assert asked == ['f81d91e8', None]
