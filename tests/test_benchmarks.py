"""The benchmarks run, and their two variants compute the same. Nothing is timed here."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from layouts import image, labelling, pseudo_label, write
from toolbox import CONFIGS, tiny_options

from mmuda.labeling import Argmax

FOLDER = Path(__file__).parents[1] / 'benchmarks'


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, options',
    [
        ('alignment', ['--channels=32']),
        ('contrastive', ['--channels=32', '--height=9', '--width=17']),
        ('teacher_step', ['--height=64', '--width=96']),
    ],
)
def test_both_sides_compute_the_same(name, options):
    out = subprocess.run(
        [sys.executable, FOLDER / f'{name}.py', '--rounds=1', '--iters=1', '--threads=1', *options],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    apart = re.search(r'apart by (\S+) of their values', out)
    assert apart and float(apart[1]) < 1e-4, out


@pytest.mark.slow
@pytest.mark.parametrize('method', ['advent', 'cbst', 'sim', 'sdca', 'fada', 'dacs', 'daformer'])
def test_a_plain_loop_computes_what_ours_computes(method):
    options = ['--pair=minicity', '--divide=8', '--iters=1', '--rounds=1', '--threads=1']
    out = subprocess.run(
        [sys.executable, FOLDER / 'plain_step.py', method, *options, '--variants', 'plain', 'mmuda'],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (row,) = [line.split() for line in out.splitlines() if line.startswith('mmuda ')]
    assert float(row[1]) > 0 and float(row[-1]) < 1e-4, out


@pytest.mark.slow
def test_the_checks_of_a_gpu_run_on_a_cpu(tmp_path):
    path = tmp_path / 'found.json'
    command = [sys.executable, FOLDER / 'gpu_check.py', '--device=cpu', '--toy', '--minutes=30', f'--out={path}']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(path.read_text())
    assert {entry['status'] for entry in found['parts'].values()} == {'passed'} and len(found['parts']) == 13
    assert {'plain', 'mmuda', 'mmuda+bfloat16+compile'} <= {one['variant'] for one in found['steps']}
    assert all(one['seconds'] > 0 for one in found['steps']) and 'mmuda+bfloat16+compile' in done.stdout


@pytest.mark.slow
def test_checks_that_there_is_no_time_for_are_told(tmp_path):
    """Without time, every check is left out, and the result file records this."""
    path = tmp_path / 'found.json'
    command = [sys.executable, FOLDER / 'gpu_check.py', '--device=cpu', '--toy', '--minutes=0', f'--out={path}']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2, done.stdout + done.stderr
    assert {entry['status'] for entry in json.loads(path.read_text())['parts'].values()} == {'left out'}


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, options',
    [
        ('growth', ['--images', '30', '60']),
        ('labeling', ['--images=2', '--rounds=1', '--threads=1']),
        ('rare_class', ['--images=12', '--samples=2', '--rounds=1']),
        ('method_step', ['--iters=1', '--rounds=1', '--threads=1', '--size', '64', '96']),
        ('data', ['--images=2', '--samples=2', '--rounds=1', '--scale=0.2', '--pipelines', 'advent', 'daformer']),
    ],
)
def test_the_others_print_their_tables(name, options):
    out = subprocess.run(
        [sys.executable, FOLDER / f'{name}.py', *options], check=True, capture_output=True, text=True
    ).stdout
    assert len(re.findall(r'\d+\.\d+', out)) >= 5, out


@pytest.mark.slow
def test_labels_are_the_same_whether_outputs_are_kept_or_not():
    config = CONFIGS / 'source_only/minicity.py'
    out = subprocess.run(
        [sys.executable, FOLDER / 'labeling.py', '--config', config, '--images=2', '--size', '48', '64'],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert 'labels are the same' in out, out


@pytest.mark.slow
@pytest.mark.parametrize('name, said', [('label_free', 'median ratio'), ('safety', 'checkpoint of')])
def test_costs_of_a_config_are_timed(minicity, name, said):
    options = [f'{key}={value}' for key, value in tiny_options('dacs').items()]
    command = [FOLDER / f'{name}.py', CONFIGS / 'dacs/minicity.py', '--pairs=2', '--cfg-options', *options]
    out = subprocess.run(
        [sys.executable, *command],
        check=True,
        capture_output=True,
        text=True,
        env=dict(os.environ, MINICITY_ROOT=str(minicity)),
    ).stdout
    assert said in out and len(re.findall(r'\d\.\d{3}', out)) >= 5, out


@pytest.mark.slow
def test_prediction_is_timed_beside_the_inferencer_of_mmseg(tmp_path):
    from predictions import network_config, save_network

    cfg = network_config()
    cfg.visualizer = dict(type='SegLocalVisualizer', vis_backends=[], name='visualizer')  # mmseg's inferencer needs it
    cfg.dump(tmp_path / 'config.py')
    command = [FOLDER / 'predict.py', tmp_path / 'config.py', save_network(tmp_path / 'net.pth'), '--threads=1']
    out = subprocess.run(
        [sys.executable, *command, '--images=3', '--size', '64', '96', '--rounds=1'],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert '0.000 % of the labels differ' in out and len(re.findall(r'images/s', out)) == 2, out
    assert len(re.findall(r'of the CPU, \d+ MiB', out)) == 2, out
    out = subprocess.run(
        [sys.executable, *command, '--evaluate', '--images=3', '--size', '64', '96', '--rounds=1'],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    ((plain, ours),) = re.findall(r'IoUs are (\S+) and (\S+)', out)
    assert plain == ours != 'nan', out
    pytest.importorskip('tifffile')
    out = subprocess.run(
        [sys.executable, *command, '--large=300', '--window=64'], check=True, capture_output=True, text=True
    ).stdout
    assert '300x300, windows of 64:' in out and 'GiB' in out, out


class LeftOnly(Argmax):
    """Label the left half of each image."""

    def label(self, prob, thresholds=None):
        labels = super().label(prob, thresholds)
        labels[:, labels.shape[1] // 2 :] = 255
        return labels


def test_pseudo_labels_are_compared_with_ground_truth(tmp_path):
    """Pixels without ground truth do not count."""
    classes = ('road', 'sidewalk')
    folder = labelling(tmp_path, count=2, classes=classes, strategy=LeftOnly())
    truth = [pseudo_label(0, 2) % 2, np.ones_like(pseudo_label(1))]
    truth[1][:2] = 255
    lines = [f'{tmp_path}/images/{n}.png {write(tmp_path / "truth" / f"{n}.png", truth[n])}\n' for n in range(2)]
    (tmp_path / 'list.txt').write_text(''.join(lines))
    source = dict(type='SegmentationListDataset', ann_file=str(tmp_path / 'list.txt'), metainfo=dict(classes=classes))
    (tmp_path / 'config.py').write_text(f'train_dataloader = dict(dataset=dict(source={source!r}))\n')
    command = [sys.executable, FOLDER / 'pseudo_labels.py', tmp_path / 'config.py', folder]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    row = [cell.strip() for cell in out.splitlines()[3].strip('|').split('|')]

    half = truth[0].shape[1] // 2
    given = np.concatenate([(pseudo_label(n, 2) % 2)[:, :half].ravel() for n in range(2)])
    true = np.concatenate([values[:, :half].ravel() for values in truth])
    given, true = given[true < 2], true[true < 2]
    right = given == true
    expected = [right.mean(), *(share for c in (0, 1) for share in (right[true == c].mean(), right[given == c].mean()))]
    found = [float(value) for cell in row[2:] for value in re.findall(r'\d+', cell)]
    assert row[1] == '50' and found == [round(100 * share) for share in expected] and min(found) < 100

    # Labels of the size of the network's input, which is not that of the image.
    write(tmp_path / 'images' / '0.png', image(0, height=30))
    write(tmp_path / 'truth' / '0.png', np.zeros((30, truth[0].shape[1]), np.uint8))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode and 'label at the size of the images' in done.stderr
