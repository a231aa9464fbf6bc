"""Tests of `tools/test.py`: metrics, pictures, ensembles, test-time augmentation."""

import json

import numpy as np
import torch
from commands import TOOLS, options, run
from PIL import Image
from toolbox import CONFIGS


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
    assert log.splitlines()[-1] == f'results: {tmp_path / "iter_4.json"}'
    maps, pictures = sorted((tmp_path / 'maps').iterdir()), sorted((tmp_path / 'pictures').iterdir())
    assert len(maps) == len(pictures) == 5 and [m.stem for m in maps] == [p.stem for p in pictures]
    with Image.open(maps[0]) as written:
        labels = np.array(written)
    assert labels.shape == (48, 64) and labels.max() < 19
    with Image.open(pictures[0]) as written:
        assert written.size[0] > 4 * 60, 'the four pictures must form a row'


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
    assert 'has no discriminator, so it keeps its initial values' in log, 'it must print that AdaBN has none'
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
    assert both['confusion_matrix'] == one['confusion_matrix'], (
        'with a weight of zero, only the first network must count'
    )


def test_the_teacher_instead_of_the_segmentor(minicity, trained, tmp_path):
    """A test of the teacher gives the result of a plain checkpoint with the weights of the teacher."""
    state = torch.load(trained['dacs'], weights_only=False)['state_dict']
    weights = {key.removeprefix('teacher.'): value for key, value in state.items() if key.startswith('teacher.seg')}
    torch.save(dict(state_dict=weights), tmp_path / 'plain.pth')
    matrices = {}
    for name, checkpoints, more in (
        ('student', [trained['dacs']], []),
        ('teacher', [trained['dacs']], ['--of', 'teacher']),
        ('plain', [tmp_path / 'plain.pth'], []),
    ):
        work_dir = tmp_path / name
        script = [TOOLS / 'test.py', CONFIGS / 'dacs/minicity.py', *checkpoints, *more, '--work-dir', work_dir]
        run(minicity, *script, *options('dacs'))
        (file,) = work_dir.glob('*.json')
        assert file.stem.endswith('_teacher') == bool(more)
        matrices[name] = json.loads(file.read_text())['confusion_matrix']
    assert matrices['teacher'] == matrices['plain'] != matrices['student']
    script = [TOOLS / 'test.py', CONFIGS / 'advent/minicity.py', trained['advent'], '--of', 'teacher']
    log = run(minicity, *script, '--work-dir', tmp_path / 'none', *options('advent'), fails=True)
    assert "holds no network 'teacher', but segmentor" in log


def test_statistics_of_the_target(minicity, trained, tmp_path):
    command = [TOOLS / 'test.py', CONFIGS / 'adabn/minicity.py', trained['adabn'], '--work-dir', tmp_path]
    log = run(minicity, *command, '--batch-norm', 'target', *options('adabn'))
    assert 'batch-norm 1/' in log and 'batch-norm, planning: ' in log
    assert 'layers on 5 target images: ' in log
    assert f'results: {tmp_path / "iter_4_target_bn.json"}' in log
    stored, found = torch.load(trained['adabn'])['state_dict'], torch.load(tmp_path / 'iter_4_target_bn.pth')
    changed = {key for key, value in stored.items() if not torch.equal(value, found['state_dict'][key])}
    assert changed == {key for key in stored if 'running' in key} and found['meta']['target_batch_norm']['images'] == 5
    run(minicity, *command, *options('adabn'))
    one, other = (json.loads((tmp_path / f'{name}.json').read_text()) for name in ('iter_4', 'iter_4_target_bn'))
    assert one['num_images'] == other['num_images'] == 5
    assert one['confusion_matrix'] != other['confusion_matrix']
    log = run(minicity, *command, '--batch-norm', 'target', '--of', 'teacher', *options('adabn'), fails=True)
    assert 'statistics of the segmentor only: leave out --of teacher' in log


def test_flip_augmentation(minicity, trained, tmp_path):
    command = [TOOLS / 'test.py', CONFIGS / 'advent/minicity.py', trained['advent']]
    where = ['--work-dir', tmp_path, *options('advent')]
    run(minicity, *command, *where)
    plain = (tmp_path / 'iter_4.json').read_text()
    log = run(minicity, *command, '--tta', *where)
    assert f'results: {tmp_path / "iter_4_tta.json"}' in log
    assert (tmp_path / 'iter_4.json').read_text() == plain, 'each way of testing has a file of its own'
    tta = json.loads((tmp_path / 'iter_4_tta.json').read_text())
    assert tta['num_images'] == json.loads(plain)['num_images'] == 5
    assert tta['confusion_matrix'] != json.loads(plain)['confusion_matrix']
    run(minicity, *command, trained['adabn'], '--weights', 1, 0, '--tta', *where)
    ensemble = json.loads((tmp_path / 'ensemble_tta.json').read_text())
    assert ensemble['confusion_matrix'] == tta['confusion_matrix'], 'the whole ensemble must be augmented'


def test_on_the_images_of_the_source(minicity, trained, tmp_path):
    command = [TOOLS / 'test.py', CONFIGS / 'advent/minicity.py', trained['advent'], '--work-dir', tmp_path]
    run(minicity, *command, '--on', 'source', *options('advent'))
    content = json.loads((tmp_path / 'iter_4_on_source.json').read_text())
    assert content['num_images'] == 7 and content['metrics']['mIoU'] > 0
    log = run(minicity, *command, '--on', 'target', *options('advent'), fails=True)
    assert 'error: there is nothing to compare with' in log and 'segmented by tools/predict.py CONFIG' in log
    assert 'Traceback' not in log


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
