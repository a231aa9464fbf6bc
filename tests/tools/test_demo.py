"""The demo: a small one in every run of the tests, the real one among the slow tests."""

import json
import os
import re
import subprocess
import sys

import pytest
from toolbox import CONFIGS

LAST_LINE = re.compile(
    r'target mIoU: source-only (\d+\.\d), best of batch-norm (\d+\.\d), AdvEnt (\d+\.\d) '
    r'\(([+-]\d+\.\d) over source-only, ([+-]\d+\.\d) over batch-norm\)'
)


def demo(*args, cwd=None, **env) -> list:
    out = subprocess.run(
        [sys.executable, str(CONFIGS.parent / 'tools/demo.py'), *map(str, args)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=dict(os.environ, **env),
    )
    assert out.returncode == 0, out.stdout[-2000:] + out.stderr[-3000:]
    return out.stdout.splitlines()


def test_demo_in_small(minicity, tmp_path):
    """The demo runs with its real script and configs on an existing MiniCity, for two iterations."""
    lines = demo(
        '--work-dir',
        '.',
        '--data',
        os.path.relpath(minicity, tmp_path),
        '--images',
        7,
        5,
        5,
        '--size',
        64,
        48,
        '--cfg-options',
        'train_cfg.max_iters=2',
        'model.segmentor.backbone.base_channels=4',
        'train_cfg.val_interval=1',
        'model.segmentor.backbone.stem_channels=4',
        'model.segmentor.decode_head.in_channels=32',
        cwd=tmp_path,  # the tools use another working directory
        OMP_NUM_THREADS='1',
    )
    source, batch_norm, advent, over_source, over_batch_norm = map(float, LAST_LINE.fullmatch(lines[-1]).groups())
    assert over_source == pytest.approx(advent - source, abs=0.051)
    assert over_batch_norm == pytest.approx(advent - batch_norm, abs=0.051)
    target_bn = json.loads((tmp_path / 'source_only/test/iter_2_target_bn.json').read_text())
    adabn = json.loads((tmp_path / 'adabn/test/iter_2.json').read_text())
    assert batch_norm == round(max(found['metrics']['mIoU'] for found in (target_bn, adabn)), 1)
    html = (tmp_path / 'report.html').read_text(encoding='utf-8')
    assert f'report: {tmp_path / "report.html"}' in lines
    # For five images: the image, the ground truth, four predictions and an entropy; and one scale of the entropy.
    assert 'target batch-norm' in html and html.count('data:image/png;base64,') == 5 * 7 + 1


@pytest.mark.slow
def test_adaptation_gains_on_three_seeds(tmp_path):
    """On each seed, adaptation gains at least 2 mIoU over source-only and over batch-norm alone."""
    lines = demo('--work-dir', tmp_path / 'runs', '--data', tmp_path / 'data', '--seeds', 0, 1, 2)
    gains = [tuple(map(float, found.groups()[3:])) for found in map(LAST_LINE.fullmatch, lines) if found]
    assert len(gains) == 3
    assert all(over_source >= 2 and over_batch_norm >= 2 for over_source, over_batch_norm in gains), gains
