"""Label files, written by threads."""

import pytest
import torch

from mmuda.labeling.writer import LabelWriter


def test_errors_of_writing_surface(tmp_path):
    (tmp_path / 'labels').write_text('a file where a folder should be')
    with pytest.raises(OSError, match='labels'), LabelWriter(1) as writer:
        for _ in range(5):
            writer.put(tmp_path / 'labels/a.png', torch.zeros(4, 4, dtype=torch.uint8))
