"""Sums and densities of predictions, compared with the formulas written in NumPy."""

import numpy as np
import pytest
import torch
from naive import neighbourhood_density as density, softmax

from mmuda.evaluation import prediction_statistics as module
from mmuda.evaluation.prediction_statistics import fixed_points, neighbourhood_density, prediction_statistics


@pytest.mark.parametrize('at_a_time', [1, 100, 10**6])
def test_statistics(monkeypatch, at_a_time):
    monkeypatch.setattr(module, 'VALUES_AT_A_TIME', at_a_time)
    logits = np.random.default_rng(0).normal(0, 3, (5, 7, 9))
    prob = softmax(logits, 0)
    found = prediction_statistics(torch.from_numpy(logits).float())
    assert found.entropy.item() == pytest.approx(-(prob * np.log(prob)).sum(), rel=1e-6)
    np.testing.assert_allclose(found.probabilities, prob.sum(axis=(1, 2)), rtol=1e-6)


def test_certain_pixels_have_no_entropy():
    logits = torch.full((3, 2, 2), -torch.inf)
    logits[1] = 0
    found = prediction_statistics(logits)
    assert found.entropy == 0 and found.probabilities.tolist() == [0, 4, 0]


@pytest.mark.parametrize('temperature', [0.05, 1.0])
def test_density(temperature):
    prob = softmax(np.random.default_rng(1).normal(0, 2, (40, 6)), 1)
    found = neighbourhood_density(torch.from_numpy(prob).float(), temperature)
    assert found.item() == pytest.approx(density(prob, temperature), rel=1e-4)


def test_density_of_equal_samples_is_the_largest():
    assert neighbourhood_density(torch.full((11, 4), 0.25)).item() == pytest.approx(np.log(10), rel=1e-6)


def test_places_are_fixed_and_different():
    first = fixed_points(10, 20, 50, torch.device('cpu'))
    fixed_points.cache_clear()
    torch.manual_seed(7)
    assert torch.equal(fixed_points(10, 20, 50, torch.device('cpu')), first)
    assert len(first.unique()) == 50 and first.min() >= 0 and first.max() < 200
    assert sorted(fixed_points(2, 3, 50, torch.device('cpu')).tolist()) == [0, 1, 2, 3, 4, 5]
