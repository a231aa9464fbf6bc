"""tools/compare.py as users run it: real trainings and tests, killed and continued."""

import json
import os
import sys
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
