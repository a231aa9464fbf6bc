"""tools/compare.py as users run it: real trainings and tests, killed and continued."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from commands import TOOLS, run
from killing import kill_when
from toolbox import CONFIGS

from mmuda.checkpoints import read_checkpoint
from mmuda.owner import only_user

TOOL = TOOLS / 'compare.py'

TINY = """
_base_ = '{base}'
model = dict(segmentor=dict(backbone=dict(base_channels=4, stem_channels=4), decode_head=dict(in_channels=32)){more})
train_dataloader = dict(batch_size=2)
default_hooks = dict(checkpoint=dict(interval=1), logger=dict(interval=1))
train_cfg = dict(max_iters=4, val_interval=4)
"""


def tiny_configs(folder: Path, *methods: str) -> list[Path]:
    """Write configs at toy size that inherit from those of MiniCity, each in a folder of its method."""
    paths = [folder / method / 'minicity.py' for method in methods]
    for method, path in zip(methods, paths, strict=True):
        path.parent.mkdir()
        more = ', discriminator=dict(base_channels=2)' if method in ('advent', 'intrada') else ''
        path.write_text(TINY.format(base=CONFIGS / method / 'minicity.py', more=more))
    return paths


def environment(minicity: Path) -> dict:
    return dict(os.environ, MINICITY_ROOT=str(minicity), OMP_NUM_THREADS='1')


def compare(minicity: Path, *arguments, fails: bool = False) -> str:
    return run(minicity, TOOL, *arguments, fails=fails)


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='finds the processes to kill in /proc')
@pytest.mark.slow  # seven commands in sequence; tests/comparison has faster tests
def test_killed_in_the_middle_and_started_again(minicity, tmp_path):
    configs = tiny_configs(tmp_path, 'intrada')
    work, whole = tmp_path / 'work', tmp_path / 'whole'
    arguments = [*configs, '--seeds', '3', '--work-dir', work, '--pictures', '1']
    folder = work / 'intrada/minicity/seed_3'
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    kill_when(command, environment(minicity), (folder / 'inter/iter_2.pth').is_file, tmp_path / 'log.txt')
    log = compare(minicity, *arguments)
    assert 'intrada/minicity/seed_3: continuing' in log
    assert not list(folder.glob('before_*')), 'the interrupted stage must continue'

    table = json.loads((work / 'table.json').read_text())
    assert [one['statistics'] for one in table['readings']] == ['stored', 'target']
    assert all(one['seeds'] == [3] and one['iterations'] == [8] for one in table['readings'])
    stored, target = (json.loads((folder / f'test/iter_4{end}.json').read_text()) for end in ('', '_target_bn'))
    means = [one['metrics']['mIoU']['mean'] for one in table['readings']]
    assert means == [stored['metrics']['mIoU'], target['metrics']['mIoU']] and means[0] != means[1]
    assert table['best_baseline'] is None and 'there is no source-only method' in table['notes'][0]
    assert '| intrada/minicity ' in (work / 'table.txt').read_text()
    assert 'data:image/png' in (work / 'report.html').read_text()

    compare(minicity, *arguments[:3], '--work-dir', whole, '--pictures', '0', '--batch-norm', 'stored')
    one, other = (
        read_checkpoint(folder / 'intrada/minicity/seed_3/intra/iter_4.pth')['state_dict'] for folder in (work, whole)
    )
    assert all(torch.equal(value, other[key]) for key, value in one.items()), 'the weights must not depend on the kill'


@pytest.mark.slow  # waits for a training to begin, twice
@pytest.mark.usefixtures('sigint_is_heard')
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_trainings_and_is_told(minicity, tmp_path, number):
    (config,) = tiny_configs(tmp_path, 'source_only')
    work = tmp_path / 'work'
    log = work / 'source_only/minicity/seed_0/train.log'
    options = ['--work-dir', str(work), '--cfg-options', 'train_cfg.max_iters=1000']
    command = [sys.executable, str(TOOL), str(config), *options]
    with open(tmp_path / 'log.txt', 'w') as stream:
        process = subprocess.Popen(command, env=environment(minicity), stdout=stream, stderr=stream)
        deadline = time.monotonic() + 120
        while not (log.is_file() and 'Iter(train)' in log.read_text()):
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / 'log.txt').read_text()
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    text = (tmp_path / 'log.txt').read_text()
    assert f'stopped by {number.name}: finished trainings and tests are kept, and the same command continues' in text
    assert 'Traceback' not in text
    assert not (work / 'source_only/minicity/seed_0/iter_1000.pth').exists()
    with only_user(work, 'comparison'):  # the trainings have ended, so nobody uses the folder any more
        pass


def test_bad_input_is_told_before_anything_starts(minicity, tmp_path):
    (config,) = tiny_configs(tmp_path, 'source_only')
    work = tmp_path / 'work'
    with only_user(work, 'comparison'):
        log = compare(minicity, config, '--work-dir', work, fails=True)
    assert f'{work} belongs to another comparison' in log
    options = ['--cfg-options', 'train_cfg.max_iters=2']
    log = compare(minicity, config, '--work-dir', work, '--write-metafile', *options, fails=True)
    assert '--write-metafile needs results of unchanged configs' in log
    assert sorted(path.name for path in work.iterdir()) == ['.lock']
