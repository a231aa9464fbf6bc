"""Error bounds and memory of ConfidenceHistogram, as its docstring states them."""

import pickle
import warnings

import numpy as np
import pytest
import torch

from mmuda.labeling import ClassBalanced, ConfidenceHistogram, ExactConfidences, Global, MedianCap
from mmuda.labeling.histogram import HIGH, NUM_BINS, ONE, bin_of, lower_edge

C = 6


def around(*values) -> np.ndarray:
    """Return each value with its 3000 neighbours in float32 on both sides, without negative numbers."""
    bits = np.array(values, np.float32).view(np.int32)[:, None] + np.arange(-3000, 3001, dtype=np.int32)
    return np.maximum(bits, 0).astype(np.int32).view(np.float32).ravel()


# Difficult inputs; each function returns confidences (number of pixels,).
INPUTS = {
    'uniform': lambda rng, n: rng.random(n),
    'saturated': lambda rng, n: 1 - rng.random(n) * 1e-3,
    'nearly 1': lambda rng, n: 1 - rng.integers(0, 40, n) * 2.0**-24,
    'ties': lambda rng, n: rng.choice(rng.random(3), n),
    'one value': lambda rng, n: np.full(n, rng.random()),
    'zeros': lambda rng, n: np.zeros(n),
    'prior': lambda rng, n: rng.random(n) * 1e-7,
    'orders of magnitude': lambda rng, n: np.exp(rng.uniform(np.log(1e-13), np.log(2), n)),
    'overshoot': lambda rng, n: rng.uniform(0.9, 1.25, n),
    'upper half': lambda rng, n: rng.uniform(0.5, 2, n),
    'edges': lambda rng, n: rng.choice(around(2**-40, 0.25, 0.5, 0.75, 1, 1.5, 2).clip(max=2), n),
}


def within_bounds(exact: np.ndarray, found: np.ndarray) -> None:
    """Check the error bounds of the docstring, for values up to 2."""
    error = exact - found
    assert (error >= 0).all() and (error <= 2.0**-14).all()
    assert (error <= 2.0**-12 * exact)[exact >= 2.0**-40].all()
    upper = (exact >= 0.5) & (exact < 1)
    assert (error <= 2.0**-12 * (1 - found))[upper].all()
    assert (error == 0)[(exact >= 1 - 2.0**-12) & (exact <= 1)].all()


@pytest.mark.parametrize(
    'values',
    [
        around(0, 2**-40, 2**-39, 0.25, 0.5, 0.75, 1 - 2**-12, 1 - 2**-11, 1, 1.5, 2),
        np.concatenate([make(np.random.default_rng(0), 100_000) for make in INPUTS.values()]),
    ],
    ids=['around edges', 'random'],
)
def test_bins_are_ranges_that_begin_with_their_lower_edge(values):
    values = np.unique(values[values <= 2].astype(np.float32))
    bins = bin_of(torch.from_numpy(values))
    assert bins.dtype == torch.int32 and bins.min() >= 0 and bins.max() < NUM_BINS
    assert (bins.diff() >= 0).all()
    edges = lower_edge(bins.numpy())
    assert (edges == edges.astype(np.float32)).all()
    assert torch.equal(bin_of(torch.from_numpy(edges.astype(np.float32))), bins)
    within_bounds(values.astype(np.float64), edges)


def test_edges_of_all_bins():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        edges = lower_edge(np.arange(NUM_BINS))
    assert edges[[0, 1, HIGH, ONE, -1]].tolist() == [0, 2**-40, 0.5, 1, 2]
    assert (np.diff(edges) >= 0).all() and np.diff(edges).max() <= 2.0**-14


def test_beyond_the_range():
    values = torch.tensor([-torch.inf, -0.5, -0.0, 2.5, 1e30, torch.inf])
    assert lower_edge(bin_of(values).numpy()).tolist() == [0, 0, 0, 2, 2, 2]


def images(kind: str, seed: int, one_pixel: bool = False):
    """Yield three images; the classes have very different sizes, and the last class is empty."""
    rng = np.random.default_rng([seed, *map(ord, kind)])
    for _ in range(3):
        size = (1, C - 1) if one_pixel else tuple(rng.integers(20, 60, 2))
        confidence = INPUTS[kind](rng, size[0] * size[1]).astype(np.float32).reshape(size)
        share = np.array([0.6, 0.3, 0.08, 0.015, 0.005])
        labels = np.arange(C - 1).reshape(size) if one_pixel else rng.choice(C - 1, size, p=share)
        yield torch.from_numpy(confidence), torch.from_numpy(labels)


@pytest.mark.parametrize('one_pixel', [False, True])
@pytest.mark.parametrize('kind', INPUTS)
def test_order_statistics_are_within_the_bounds(kind, one_pixel):
    for seed in range(4):
        rate = (1, 4)[seed % 2]
        exact, streamed = ExactConfidences(C, rate), ConfidenceHistogram(C, rate)
        for confidence, labels in images(kind, seed, one_pixel):
            exact.add(confidence, labels)
            streamed.add(confidence, labels)
        counts = exact.counts
        assert streamed.counts.tolist() == counts.tolist() and counts[-1] == 0
        for share in (0, 1e-3, 0.2, 0.5, 0.9, 1):
            ranks = np.maximum(np.ceil(counts * share), 1).astype(int)
            within_bounds(exact.kth_largest(ranks), streamed.kth_largest(ranks))
            rank = max(1, int(exact.total * share))
            within_bounds(*(np.array([each.kth_largest_overall(rank)]) for each in (exact, streamed)))


@pytest.mark.parametrize(
    'strategy, arguments', [(ClassBalanced, dict(portion=0.2)), (Global, dict(portion=0.3)), (MedianCap, dict(cap=1))]
)
@pytest.mark.parametrize('kind', INPUTS)
def test_what_exact_thresholds_select_is_selected(kind, strategy, arguments):
    exact, streamed = strategy(**arguments, exact=True), strategy(**arguments)
    statistics = [each.new_statistics(C) for each in (exact, streamed)]
    for maps in images(kind, seed=7):
        for each in statistics:
            each.add(*maps)
    for confidence, labels in images(kind, seed=7):
        # Only the class of the label has a probability above 0, so that reweighting does not change the label.
        prob = torch.zeros(C, *labels.shape).scatter_(0, labels[None], confidence[None])
        thresholds = exact.thresholds(statistics[0]), streamed.thresholds(statistics[1])
        one, two = (
            each.label(prob, torch.from_numpy(t)) for each, t in zip((exact, streamed), thresholds, strict=True)
        )
        assert torch.equal(two[one != 255], one[one != 255])
        extra = (one == 255) & (two != 255)
        # Additional pixels are in the bin of the threshold. (A threshold of 0 would become 1, but no input has one.)
        assert (
            bin_of(confidence[extra]).numpy()
            == bin_of(torch.from_numpy(thresholds[0]).float()[two[extra].long()]).numpy()
        ).all()


def test_memory_does_not_depend_on_images():
    statistics = ConfidenceHistogram(C, 4)
    maps = list(images('uniform', seed=0))
    for confidence, labels in maps:
        statistics.add(confidence, labels)
    size = len(pickle.dumps(statistics))
    for _ in range(9):
        for confidence, labels in maps:
            statistics.add(confidence, labels)
    assert len(pickle.dumps(statistics)) == size
    once = ConfidenceHistogram(C, 4)
    for confidence, labels in maps:
        once.add(confidence, labels)
    assert statistics.total == 10 * once.total
    for key, value in once.state().items():  # the state holds only values that are not 0
        assert statistics.state()[key].shape == value.shape and len(value) <= once.total + 2


@pytest.mark.parametrize('rate', [1, 4])
def test_add_needs_no_value_on_the_host(rate):
    statistics = ConfidenceHistogram(C, rate)
    # A meta tensor has no values: it raises if an operator reads one or has a result whose size depends on one.
    statistics.add(torch.rand(30, 40, device='meta'), torch.zeros(30, 40, dtype=torch.uint8, device='meta'))
    with pytest.raises((RuntimeError, NotImplementedError)):
        assert statistics.total is None, 'unreachable: total reads values'
