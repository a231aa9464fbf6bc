"""The benchmarks run, and their two sides compute the same; nothing here is timed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from toolbox import CONFIGS, tiny_options

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
def test_a_step_of_daformer_is_measured():
    options = ['--device=cpu', '--variant=b0', '--size=64', '--iters=1', '--warm-up=0', '--precision=bfloat16']
    out = subprocess.run(
        [sys.executable, FOLDER / 'gpu_step.py', *options], check=True, capture_output=True, text=True
    ).stdout
    assert re.search(r'MiT-B0, 64x64, batch 2 \+ 2, bfloat16', out), out
    seconds, running, memory = map(float, re.search(r'step: (\S+) .* waits: (\S+)\nmemory: (\d+) MiB', out).groups())
    assert min(seconds, running, memory) > 0 and 'nan' not in out and 'loss_distance' in out


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, options',
    [
        ('labeling', ['--images=2', '--rounds=1', '--threads=1']),
        ('advent_step', ['--iters=1', '--rounds=1', '--threads=1', '--variants', 'plain', 'mmuda']),
        ('rare_class', ['--images=12', '--samples=2', '--rounds=1']),
        ('method_step', ['--iters=1', '--rounds=1', '--threads=1', '--size', '64', '96']),
    ],
)
def test_the_others_print_their_tables(name, options):
    out = subprocess.run(
        [sys.executable, FOLDER / f'{name}.py', *options], check=True, capture_output=True, text=True
    ).stdout
    assert len(re.findall(r'\d+\.\d+', out)) >= 5, out


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
    cfg.visualizer = dict(type='SegLocalVisualizer', name='visualizer')  # the inferencer of mmseg needs one
    cfg.dump(tmp_path / 'config.py')
    command = [FOLDER / 'predict.py', tmp_path / 'config.py', save_network(tmp_path / 'net.pth'), '--threads=1']
    out = subprocess.run(
        [sys.executable, *command, '--images=3', '--size', '64', '96', '--rounds=1'],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert '0.000 % of the labels differ' in out and len(re.findall(r'images/s', out)) == 2, out
    pytest.importorskip('tifffile')
    out = subprocess.run(
        [sys.executable, *command, '--large=300', '--window=64'], check=True, capture_output=True, text=True
    ).stdout
    assert '300x300, windows of 64:' in out and 'GiB' in out, out
