"""Labellings and rounds, killed with SIGKILL and resumed, give the same files and weights, on one and two processes."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from killing import kill_when
from toolbox import CONFIGS, tiny_options

from mmuda.checkpoints.reading import read_checkpoint

TOOLS = CONFIGS.parent / 'tools'

PAUSE = '''
import time
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

@TRANSFORMS.register_module()
class Pause(BaseTransform):
    """Gives the test time to hit a labelling."""
    def transform(self, results):
        time.sleep(0.05)
        return results
'''

CONFIG = """
_base_ = '{base}'
custom_imports = dict(imports=['mmuda', 'pause'])
small = dict(type='SmallClassCrop', size=32, label_stride=1, origin_size=64, probability=0.8, manifest='{{label}}')
rounds = dict(
    num_rounds=2,
    epochs_per_round=2,
    source_portion=dict(init=0.6, step=0.2, max=0.9),
    label=dict(
        batch_size=1,
        pipeline=[dict(type='LoadDomainImage'), dict(type='Pause'), dict(type='PackSegInputs')]),
    train=dict(
        default_hooks=dict(checkpoint=dict(interval=1)),
        train_dataloader=dict(
            dataset=dict(
                source=dict(pipeline=[
                    dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), small,
                    dict(type='PackSegInputs')]),
                target=dict(pipeline=[
                    dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), small, dict(type='PackSegInputs')])))))
"""


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='finds the processes to kill in /proc')
@pytest.mark.slow  # about two minutes each; faster tests interrupt inside one process
@pytest.mark.parametrize('processes', [1, 2])
def test_killed_and_resumed_in_every_kind_of_stage(minicity, tmp_path, processes):
    (tmp_path / 'pause.py').write_text(PAUSE)
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(base=CONFIGS / 'cbst/minicity.py'))
    options = tiny_options('source_only', iters=3, save=1)

    def command(work_dir: Path, *more: str) -> list:
        script = [sys.executable, TOOLS / 'train.py', config]
        if processes > 1:
            script = [TOOLS / 'dist_train.sh', config, str(processes)]
        return [
            *map(str, script),
            '--work-dir',
            str(work_dir),
            *more,
            '--cfg-options',
            *(f'{key}={value}' for key, value in options.items()),
        ]

    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    env = dict(os.environ, MINICITY_ROOT=str(minicity), OMP_NUM_THREADS='1', PYTHON=sys.executable, PYTHONPATH=path)
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    subprocess.run(command(whole), env=env, check=True, capture_output=True)

    first, second = cut / 'rounds/0', cut / 'rounds/1'
    moments = [  # the first path exists, the second one does not exist yet
        (first / 'label/manifest.json', first / 'label/labels'),
        (first / 'train/iter_1.pth', first / 'train/metrics.json'),
        (second / 'label/labels', second / 'train'),
        (second / 'train/iter_2.pth', second / 'train/metrics.json'),
    ]
    for number, (there, not_yet) in enumerate(moments):
        kill_between(command(cut, *['--resume'] * bool(number)), env, there, not_yet, tmp_path / 'log')
        assert (
            json.loads((cut / 'ledger.json').read_text())['stages'][str(there.relative_to(cut).parent)]['status']
            == 'running'
        )
    subprocess.run(command(cut, '--resume'), env=env, check=True, capture_output=True)

    for stage in ('source', 'rounds/0/train', 'rounds/1/train'):
        ours, theirs = (weights(folder / stage) for folder in (whole, cut))
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), stage
    for stage in ('rounds/0/label', 'rounds/1/label'):
        assert hashes(whole / stage) == hashes(cut / stage) and len(hashes(cut / stage / 'labels')) == 5
    score = [
        json.loads((folder / 'ledger.json').read_text())['stages']['rounds/1/train']['result']
        for folder in (whole, cut)
    ]
    assert score[0] == score[1] and score[0]['metrics']['mIoU'] >= 0


def kill_between(command: list, env: dict, there: Path, not_yet: Path, log: Path) -> None:
    kill_when(command, env, there.exists, log)
    assert not not_yet.exists(), f'missed the moment between {there} and {not_yet}'


def weights(folder: Path) -> dict:
    result = max(folder.glob('iter_*.pth'), key=lambda path: int(path.stem[5:]))
    return read_checkpoint(result)['state_dict']


def hashes(folder: Path) -> dict:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob('*')
        if path.is_file()
    }
