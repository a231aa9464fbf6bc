"""Tests of `tools/scores.py`."""

import json

import pytest
from commands import TOOLS, run
from toolbox import tiny_config

from mmuda.engine.launch import build_runner


def test_ranks_the_scores_of_trainings(minicity, tmp_path):
    for method in ('source_only', 'dacs'):
        build_runner(tiny_config(method, minicity, tmp_path / 'runs' / method, iters=6, val=2)).train()
    printed = run(minicity, TOOLS / 'scores.py', tmp_path / 'runs', '--json', tmp_path / 'scores.json')
    found = json.loads((tmp_path / 'scores.json').read_text())
    assert len(found['runs']) == 2 and '2 runs, rank correlations with mIoU' in printed
    by_name = {one['score']: one for one in found['scores']}
    assert by_name['label_free/SND']['networks'] == 6 and by_name['label_free/agreement']['networks'] == 3
    assert -1 <= by_name['label_free/entropy']['checkpoints'] <= 1
    config = tmp_path / 'config.py'
    tiny_config('source_only', minicity, tmp_path / 'other').dump(config)
    checkpoints = [tmp_path / 'runs' / method / 'iter_6.pth' for method in ('source_only', 'dacs')]
    again = run(minicity, TOOLS / 'scores.py', '--config', config, *checkpoints, '--json', tmp_path / 'again.json')
    now = {one['score']: one for one in json.loads((tmp_path / 'again.json').read_text())['scores']}
    assert now['label_free/SND']['networks'] == 2 and 'agreement' not in again, (
        'a config without a teacher must have no agreement'
    )
    printed = run(minicity, TOOLS / 'scores.py', tmp_path / 'runs/dacs', '--scores', 'mAcc:greater')
    assert 'mAcc' in printed and 'SND' not in printed


@pytest.mark.parametrize(
    ('args', 'told'), [(['--scores', 'nothing:less'], 'has logged'), (['--scores', 'mAcc'], 'NAME:greater')]
)
def test_wrong_scores(minicity, tmp_path, args, told):
    folder = tmp_path / '20260101_000000/vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text('{"mIoU": 1.0, "step": 2}\n')
    assert told in run(minicity, TOOLS / 'scores.py', tmp_path, *args, fails=True)
