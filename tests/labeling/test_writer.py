"""Label files written by threads."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmuda.labeling.writer import LabelWriter


def test_errors_of_writing_surface(tmp_path):
    (tmp_path / 'labels').write_text('a file where a folder should be')
    with pytest.raises(OSError, match='labels'), LabelWriter(1) as writer:
        for _ in range(5):
            writer.put(tmp_path / 'labels/a.png', torch.zeros(4, 4, dtype=torch.uint8))


def test_files_have_colours_and_ids(tmp_path):
    label = torch.tensor([[0, 1, 255], [1, 1, 0]], dtype=torch.uint8)
    with LabelWriter(1, palette=[(1, 2, 3), (40, 50, 60)]) as writer:
        writer.put(tmp_path / 'a.png', label)
    written = writer.counts
    with Image.open(tmp_path / 'a.png') as image:
        assert image.mode == 'P' and np.array_equal(np.asarray(image), label)
        assert image.convert('RGB').getpixel((1, 0)) == (40, 50, 60)
    with LabelWriter(1) as writer:
        writer.count(tmp_path / 'a.png')
    assert writer.counts.tolist() == written.tolist() and written[[0, 1, 255]].tolist() == [2, 3, 1]


def test_a_file_that_holds_no_ids_is_an_error(tmp_path):
    Image.new('RGB', (3, 2)).save(tmp_path / 'a.png')
    with pytest.raises(OSError, match='a.png is no 8-bit PNG'), LabelWriter(1) as writer:
        writer.count(tmp_path / 'a.png')
