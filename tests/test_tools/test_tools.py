"""The command-line tools, run as users run them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toolbox import CONFIGS, tiny_config, tiny_options

from mmuda.checkpoints.loading import latest_checkpoint
from mmuda.engine.launch import build_runner

TOOLS = CONFIGS.parent / 'tools'


@pytest.fixture(scope='module')
def trained(minicity, tmp_path_factory) -> dict:
    """Checkpoints of a tiny AdvEnt and a tiny AdaBN."""
    found = {}
    for method in ('advent', 'adabn'):
        work_dir = tmp_path_factory.mktemp(method)
        build_runner(tiny_config(method, minicity, work_dir, iters=4)).train()
        found[method] = latest_checkpoint(work_dir)
    return found


def run(minicity: Path, *script, fails: bool = False) -> str:
    out = subprocess.run(
        [sys.executable, *map(str, script)],
        capture_output=True,
        text=True,
        cwd=CONFIGS.parent,
        env=dict(os.environ, MINICITY_ROOT=str(minicity), OMP_NUM_THREADS='1'),
    )
    assert (out.returncode != 0) == fails, out.stdout[-2000:] + out.stderr[-3000:]
    return out.stdout + out.stderr


def options(method: str) -> list:
    return ['--cfg-options', *(f'{key}={value}' for key, value in tiny_options(method).items())]


def test_test_with_everything(minicity, trained, tmp_path):
    log = run(
        minicity,
        TOOLS / 'test.py',
        CONFIGS / 'advent/minicity.py',
        trained['advent'],
        '--eval',
        'mIoU',
        'mDice',
        'mFscore',
        '--work-dir',
        tmp_path,
        '--out',
        tmp_path / 'maps',
        '--show-dir',
        tmp_path / 'pictures',
        *options('advent'),
    )
    content = json.loads((tmp_path / 'iter_4.json').read_text())
    assert {'mIoU', 'mDice', 'mFscore', 'aAcc'} <= set(content['metrics'])
    assert f'{content["metrics"]["mIoU"]:.2f}' in log and '| road ' in log
    maps, pictures = sorted((tmp_path / 'maps').iterdir()), sorted((tmp_path / 'pictures').iterdir())
    assert len(maps) == len(pictures) == 5 and [m.stem for m in maps] == [p.stem for p in pictures]
    with Image.open(maps[0]) as written:
        labels = np.array(written)
    assert labels.shape == (48, 64) and labels.max() < 19
    with Image.open(pictures[0]) as written:
        assert written.size[0] > 4 * 60, 'image, ground truth, prediction and entropy stand in a row'


def test_ensemble_of_two_checkpoints(minicity, trained, tmp_path):
    log = run(
        minicity,
        TOOLS / 'test.py',
        CONFIGS / 'advent/minicity.py',
        trained['advent'],
        trained['adabn'],
        '--weights',
        1,
        0,
        '--eval',
        'mIoU',
        '--work-dir',
        tmp_path / 'both',
        *options('advent'),
    )
    assert 'left out discriminator' in log, 'AdaBN has no discriminator, and that is said'
    run(
        minicity,
        TOOLS / 'test.py',
        CONFIGS / 'advent/minicity.py',
        trained['advent'],
        '--work-dir',
        tmp_path / 'one',
        *options('advent'),
    )
    both = json.loads((tmp_path / 'both/ensemble.json').read_text())
    one = json.loads((tmp_path / 'one/iter_4.json').read_text())
    assert both['confusion_matrix'] == one['confusion_matrix'], 'a weight of zero leaves the first network alone'


def test_flip_augmentation(minicity, trained, tmp_path):
    run(
        minicity,
        TOOLS / 'test.py',
        CONFIGS / 'advent/minicity.py',
        trained['advent'],
        '--tta',
        '--work-dir',
        tmp_path / 'tta',
        *options('advent'),
    )
    run(
        minicity,
        TOOLS / 'test.py',
        CONFIGS / 'advent/minicity.py',
        trained['advent'],
        '--work-dir',
        tmp_path / 'plain',
        *options('advent'),
    )
    tta, plain = (json.loads((tmp_path / name / 'iter_4.json').read_text()) for name in ('tta', 'plain'))
    assert tta['num_images'] == plain['num_images'] == 5
    assert tta['confusion_matrix'] != plain['confusion_matrix']


def test_statistics_of_the_target(minicity, trained, tmp_path):
    command = [TOOLS / 'test.py', CONFIGS / 'adabn/minicity.py', trained['adabn'], '--work-dir', tmp_path]
    log = run(minicity, *command, '--batch-norm', 'target', *options('adabn'))
    assert 'batch-norm 1/' in log
    stored, found = torch.load(trained['adabn'])['state_dict'], torch.load(tmp_path / 'iter_4_target_bn.pth')
    changed = {key for key, value in stored.items() if not torch.equal(value, found['state_dict'][key])}
    assert changed == {key for key in stored if 'running' in key} and found['meta']['target_batch_norm']['images'] == 5
    run(minicity, *command, *options('adabn'))
    one, other = (json.loads((tmp_path / f'{name}.json').read_text()) for name in ('iter_4', 'iter_4_target_bn'))
    assert one['num_images'] == other['num_images'] == 5
    assert one['confusion_matrix'] != other['confusion_matrix']


def test_misspelt_option_fails_before_anything_starts(minicity, tmp_path):
    log = run(
        minicity,
        TOOLS / 'train.py',
        CONFIGS / 'advent/minicity.py',
        '--work-dir',
        tmp_path / 'new',
        '--cfg-options',
        'train_cfg.max_itres=3',
        fails=True,
    )
    assert 'did you mean max_iters' in log and not (tmp_path / 'new').exists()


def test_wrong_checkpoint_fails(minicity, trained, tmp_path):
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'other.pth')
    log = run(
        minicity,
        TOOLS / 'test.py',
        CONFIGS / 'advent/minicity.py',
        tmp_path / 'other.pth',
        *options('advent'),
        fails=True,
    )
    assert 'other.pth does not fit ADVENT' in log and 'segmentor.a' in log


def test_train_with_amp_and_publish(minicity, tmp_path):
    run(
        minicity,
        TOOLS / 'train.py',
        CONFIGS / 'source_only/minicity.py',
        '--work-dir',
        tmp_path,
        '--amp',
        'bfloat16',
        '--cfg-options',
        *(f'{key}={value}' for key, value in tiny_options('source_only', iters=2).items()),
    )
    log = run(minicity, TOOLS / 'publish_model.py', tmp_path / 'iter_2.pth', tmp_path / 'plain.pth')
    assert Path(log.splitlines()[-1]).is_file()


def test_shell_scripts_parse_and_say_what_they_need():
    for script in TOOLS.glob('*.sh'):
        subprocess.run(['bash', '-n', str(script)], check=True)
        assert os.access(script, os.X_OK), script
    out = subprocess.run(
        [str(TOOLS / 'dist_train.sh'), 'c.py', '2'],
        capture_output=True,
        text=True,
        env=dict(os.environ, NNODES='2', PYTHON=sys.executable),
    )
    assert out.returncode != 0 and 'NODE_RANK' in out.stderr


FAKE_SRUN = """#!/usr/bin/env bash
while [ "$1" != bash ]; do echo "option $1" >&2; shift; done
SLURM_NODEID=1 SLURM_JOB_NODELIST=nodes exec "$@"
"""


def test_slurm_scripts_start_one_launcher_on_each_node(tmp_path):
    for name, text in dict(srun=FAKE_SRUN, scontrol='#!/usr/bin/env bash\necho first-node').items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    env = dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}', PYTHON='echo', GPUS_PER_NODE='4', NNODES='2')
    for script, arguments in (('train', 'CONFIG --resume'), ('test', 'CONFIG CHECKPOINT')):
        command = [str(TOOLS / f'slurm_{script}.sh'), 'queue', 'name', *arguments.split()]
        out = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
        for option in ('-p', 'queue', '--job-name=name', '--nodes=2', '--gres=gpu:4', '--cpus-per-task=20'):
            assert f'option {option}\n' in out.stderr
        assert '--nnodes=2 --node_rank=1 --master_addr=first-node --master_port=29500 --nproc_per_node=4' in out.stdout
        assert f'tools/{script}.py {arguments} --launcher pytorch' in out.stdout


def test_pseudo_labels_by_hand(minicity, trained, tmp_path):
    from mmuda.labeling import Manifest

    command = [
        TOOLS / 'pseudo_label.py',
        CONFIGS / 'adabn/minicity.py',
        trained['adabn'],
        '--portion',
        0.3,
        '--num-workers',
        0,
        '--out',
        tmp_path / 'labels',
        *options('adabn'),
    ]
    log = run(minicity, *command, '--strategy-options', 'rate=1')
    manifest = Manifest.read(tmp_path / 'labels')
    assert 'labels: 5/5' in log and '5 pseudo labels' in log
    assert (
        manifest.strategy == dict(type='ClassBalanced', portion=0.3, rate=1, exact=False) and len(manifest.images) == 5
    )
    assert 0 < sum(manifest.counts) < 5 * 48 * 64 == sum(manifest.counts) + manifest.ignored
    with Image.open(manifest.label_paths[0]) as label:
        assert label.mode == 'L' and label.size == (64, 48)
    times = [Path(path).stat().st_mtime_ns for path in manifest.label_paths]
    assert 'labels: ' not in run(minicity, *command, '--strategy-options', 'rate=1'), 'it was complete'
    assert times == [Path(path).stat().st_mtime_ns for path in manifest.label_paths]
    log = run(minicity, *command, fails=True)
    assert 'was begun for something else' in log and 'strategy.rate: was 1, is 4' in log


def test_minicity_of_a_version(tmp_path):
    size = ('--num-source', 1, '--num-target', 1, '--num-val', 1, '--size', 64, 32)
    for version in ((), ('--version', 1)):
        run(tmp_path, TOOLS / 'minicity.py', tmp_path / f'{len(version)}', *size, *version)
    first, second = (json.loads((tmp_path / name / 'minicity.json').read_text())['version'] for name in ('2', '0'))
    assert (first, second) == (1, 2)
    log = run(tmp_path, TOOLS / 'minicity.py', tmp_path / '2', *size, fails=True)
    assert 'version: found 1, wanted 2' in log and 'Traceback' not in log
