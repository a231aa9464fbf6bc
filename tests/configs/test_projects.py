"""Every config of a plug-in builds at full size, trains and tests at reduced size, and is listed in the metafile."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from shipped import PROJECTS, reduced, trainings
from syncing import never_waiting
from toolbox import CONFIGS

from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.engine.launch import build_runner, load_config
from mmuda.metafile import read_metafile
from mmuda.stages import TrainStage, network_config

IDS = [f'{path.parents[1].name}/{path.stem}' for path in PROJECTS]
FOLDERS = sorted({path.parents[1] for path in PROJECTS})
DEEP = CONFIGS.parent / 'projects/daformer/configs/minicity.py'


def test_there_are_configs():
    published = ('daformer/gta2city', 'daformer/synthia2city', 'hrda/gta2city', 'mic/gta2city', 'fda/gta2city')
    small = [
        f'{project}/{pair}' for project in ('daformer', 'hrda', 'mic', 'fda') for pair in ('minicity', 'carla2camvid')
    ]
    assert {*published, *small} <= set(IDS)


@pytest.mark.parametrize('path', PROJECTS, ids=IDS)
def test_it_builds_at_full_size(path):
    init_default_scope('mmseg')
    built = set()
    for cfg in trainings(load_config(path)):
        assert cfg.param_scheduler[0].end > cfg.train_cfg.max_iters
        key = str(cfg.model) + str(cfg.optim_wrapper)
        if key not in built:
            built.add(key)
            with torch.device('meta'):
                model = MODELS.build(cfg.model)
            cfg.optim_wrapper.pop('constructor')
            assert 'segmentor' in PerModuleOptimWrapperConstructor(cfg.optim_wrapper)(model)


@pytest.mark.parametrize('path', PROJECTS, ids=IDS)
def test_it_trains_and_tests_at_reduced_size(path, tmp_path, data_roots):
    cfg = reduced(path, tmp_path, data_roots)
    for training in trainings(cfg):
        target = training.train_dataloader.dataset.target
        assert not any('Annotations' in step['type'] for step in target.pipeline), (
            'the target pipeline must not load labels'
        )
    runner = build_runner(cfg)
    with never_waiting(path):
        runner.train()
    if cfg.runner_type == 'StagedRunner':
        entries = runner.ctx.ledger.entries
        assert [entry['status'] for entry in entries.values()] == ['done'] * len(runner.stages)
        last = [stage for stage in runner.stages if isinstance(stage, TrainStage)][-1]
        checkpoint = runner.ctx.checkpoint(f'{{{last.name}}}')
    else:
        checkpoint = tmp_path / 'iter_2.pth'
    plain = network_config(cfg)
    plain.load_from = str(checkpoint)
    assert 0 <= build_runner(plain).test()['mIoU'] <= 100


@pytest.mark.parametrize('project', ['daformer', 'hrda', 'mic'])
def test_a_resumed_training_is_the_same(project, tmp_path, data_roots):
    """A resumed training equals an uninterrupted one, also in its teacher, mixing, detail crops and masks."""
    (path,) = (path for path in PROJECTS if path.parts[-3:] == (project, 'configs', 'minicity.py'))

    def run(folder: str, iters: int, resume: bool = False) -> dict:
        cfg = reduced(path, tmp_path / folder, data_roots)
        cfg.model.threshold = 0.0  # so that pseudo labels count from the first iteration
        cfg.train_cfg.update(max_iters=iters, val_interval=10)
        cfg.default_hooks.checkpoint.interval = 1
        cfg.resume = resume
        cfg.resume_allow = ['train_cfg.max_iters']
        runner = build_runner(cfg)
        runner.train()
        return runner.model.state_dict()

    whole = run('whole', 3)
    run('parts', 2)
    resumed = run('parts', 3, resume=True)
    assert set(whole) == set(resumed)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda folder: folder.name)
def test_a_project_has_its_parts(folder):
    assert (folder / 'README.md').is_file() and list(folder.glob('tests/test_*.py'))
    assert f'[{folder.name}]({folder.name}/README.md)' in (folder.parent / 'README.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('folder', [folder for folder in FOLDERS if folder.name != 'example_project'], ids=str)
def test_its_metafile_lists_its_configs_and_its_readme_quotes_it(folder):
    models = read_metafile(folder)
    listed = {model['Config'] for model in models.values() if 'Config' in model}
    assert listed == {f'projects/{folder.name}/configs/{path.name}' for path in folder.glob('configs/*.py')}
    text = (folder / 'README.md').read_text(encoding='utf-8')
    for name, model in models.items():
        (row,) = [line for line in text.splitlines() if re.match(rf'\| `?{re.escape(name.split("/")[1])}`? ', line)]
        quoted = [float(figure) for figure in re.findall(r'[0-9]+\.[0-9]+', row)]
        for result in model.get('Results', ()):
            for value in result['Metrics'].values():
                # READMEs show the figures of several seeds with one decimal.
                figures = [float(f'{one:.1f}') for one in value] if isinstance(value, list) else [value]
                assert set(figures) <= set(quoted), f'{name}: figures are missing in the row {row}'
        paper = next((r for r in model.get('Results', ()) if r['Source'] == 'paper'), None)
        classes = (paper or {}).get('Per Class')
        if classes is not None:
            figures = list(classes.values()) if isinstance(classes, dict) else classes
            whole = paper['Metrics'].get('mIoU') or paper['Metrics']['mIoU16']
            assert sum(figures) / len(figures) == pytest.approx(whole, abs=0.11), name


LOAD = """
import json, os, sys
from mmuda.engine.launch import load_config
for place, config in json.loads(sys.argv[1]):
    sys.stdout.flush()
    child = os.fork()  # each child searches for the package again, but does not import PyTorch again
    if not child:
        os.chdir(place)
        cfg = load_config(config)
        import projects.daformer
        print(cfg.model.type, projects.daformer.__file__)
        sys.exit()
    if os.waitpid(child, 0)[1]:
        sys.exit(f'{config} in {place} fails')
"""


def test_a_config_finds_its_package_from_any_working_directory(tmp_path):
    places = [(tmp_path, DEEP), (CONFIGS, os.path.relpath(DEEP, CONFIGS))]
    assert found_packages(places, CONFIGS.parent) == [f'DAFormer {DEEP.parents[1] / "__init__.py"}'] * 2


def test_an_installed_config_finds_its_installed_package(tmp_path):
    """A config in an installed wheel finds its package in mmuda/.mim, without a checkout of the repository."""
    subprocess.run(
        [sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', str(tmp_path / 'site')],
        cwd=CONFIGS.parent,
        check=True,
        capture_output=True,
    )
    mim = tmp_path / 'site/mmuda/.mim'
    config = mim / 'projects/daformer/configs/minicity.py'
    found = found_packages([(tmp_path, config)], tmp_path / 'site')
    assert found == [f'DAFormer {mim / "projects/daformer/__init__.py"}']


def found_packages(places: list[tuple], path: Path) -> list[str]:
    """Return the model type of each config with the file of its package.

    Args:
        places: A working directory and a config each.
        path: Folder from which mmuda is imported.
    """
    done = subprocess.run(
        [sys.executable, '-c', LOAD, json.dumps(places, default=str)],
        cwd=places[0][0],
        env={**os.environ, 'PYTHONPATH': str(path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith('DAFormer ')]
