"""The peak of the memory of a block of code."""

import numpy as np
import pytest
import torch

from mmuda.doctor.memory import CUDA, RESIDENT, peak_memory, resident

SIZE = 2**27


def test_what_was_freed_again_counts():
    with peak_memory() as peak:
        if torch.cuda.is_available():
            del_me = torch.zeros(SIZE, dtype=torch.uint8, device='cuda')
        else:
            del_me = np.ones(SIZE, np.uint8)
            del_me += 1  # takes longer than the interval between two measurements
        del del_me
    assert peak.size > SIZE / 2
    assert peak.kind == (CUDA if torch.cuda.is_available() else RESIDENT)


def test_the_peak_is_known_after_an_error():
    seen = []
    with pytest.raises(ValueError, match='mine'), peak_memory() as peak:
        seen.append(peak)
        held = np.ones(SIZE, np.uint8)
        raise ValueError('mine')
    assert held.size == SIZE and resident() > SIZE
    assert seen[0].size > SIZE / 2 or torch.cuda.is_available()
