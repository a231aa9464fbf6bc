"""Tests of `tools/pseudo_label.py`."""

from pathlib import Path

from commands import TOOLS, options, run
from PIL import Image
from toolbox import CONFIGS


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
        assert label.mode == 'P' and label.size == (64, 48)
    times = [Path(path).stat().st_mtime_ns for path in manifest.label_paths]
    assert 'labels: ' not in run(minicity, *command, '--strategy-options', 'rate=1'), (
        'a complete labelling must not start again'
    )
    assert times == [Path(path).stat().st_mtime_ns for path in manifest.label_paths]
    log = run(minicity, *command, fails=True)
    assert 'was started with other settings' in log and 'strategy.rate: was 1, is 4' in log
