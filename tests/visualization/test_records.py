"""Inconsistent records are refused."""

import numpy as np
import pytest
from pages import sample, three_runs, written

from mmuda.visualization import Sample


@pytest.mark.parametrize(
    'broken, words',
    [
        (Sample('s', np.zeros((4, 8), np.uint8), np.zeros((4, 8), np.uint8), {}), "'s' must be"),
        (Sample('s', np.zeros((4, 8, 3), np.uint8), np.zeros((2, 8), np.uint8), {}), 'ground truth has'),
    ],
)
def test_broken_samples_are_refused(tmp_path, broken, words):
    with pytest.raises(ValueError, match=words):
        written(tmp_path, three_runs(), [broken])


@pytest.mark.parametrize(
    'change,message',
    [
        (lambda runs, samples: runs.clear(), 'at least one run'),
        (lambda runs, samples: runs.append(runs[0]), 'more than once.*Source'),
        (lambda runs, samples: samples[0].predictions.update(other=samples[0].ground_truth), "'other'"),
        (lambda runs, samples: samples[0].predictions.update(AdaBN=np.zeros((3, 3), np.uint8)), r"'AdaBN'.*\(3, 3\)"),
        (lambda runs, samples: runs[0].metrics['per_class']['IoU'].update(boat=1.0), 'boat'),
        (lambda runs, samples: runs[1].metrics['protocols'].clear(), "'AdaBN'.*DomainIoUMetric"),
        (lambda runs, samples: samples[0].entropies.update(ADVENT=np.full((4, 8), 2.0)), r'\[0, 1\]'),
    ],
)
def test_records_that_do_not_belong_together_are_refused(tmp_path, change, message):
    runs, samples = three_runs(), [sample(), sample(name='square')]
    change(runs, samples)
    with pytest.raises(ValueError, match=message):
        written(tmp_path, runs, samples)
    assert not (tmp_path / 'r.html').exists()
