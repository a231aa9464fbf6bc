"""Tests of `tools/browse.py`."""

import numpy as np
from commands import TOOLS, run
from PIL import Image
from toolbox import CONFIGS

from mmuda.datasets.classes import CITYSCAPES_CLASSES


def test_pairs_as_the_network_sees_them(minicity, tmp_path):
    command = [TOOLS / 'browse.py', CONFIGS / 'advent/minicity.py', '--count', 3, '--height', 48, '--out', tmp_path]
    assert f'3 pairs: {tmp_path / "index.html"}' in run(minicity, *command)
    page = (tmp_path / 'index.html').read_text()
    pictures = sorted(tmp_path.glob('*.png'))
    assert [path.name for path in pictures] == [f'pair_000{number}.png' for number in range(3)]
    assert all(path.name in page for path in pictures) and all(name in page for name in CITYSCAPES_CLASSES)
    shown = np.asarray(Image.open(pictures[0]).convert('RGB')).astype(int)
    # The row of the source has three pictures (48, 64): the image, its label, and the mean of both.
    image, label, both = (shown[22 : 22 + 48, 4 + 68 * place : 68 + 68 * place] for place in range(3))
    assert np.abs((image + label) / 2 - both).max() <= 1
    assert image.std() > 10 and np.abs(image - label).max() > 50


def test_a_stage_and_wrong_numbers(minicity, tmp_path):
    command = [TOOLS / 'browse.py', CONFIGS / 'intrada/minicity.py', '--out', tmp_path / 'out', '--work-dir', tmp_path]
    assert '1 pairs' in run(minicity, *command, '--count', 1)
    assert 'intra' in run(minicity, *command, '--stage', 'nothing', fails=True)
    assert 'must be positive' in run(minicity, *command, '--count', 0, fails=True)
