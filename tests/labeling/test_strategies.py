"""Threshold rules and labels, compared with the formulas of the papers for each class and pixel."""

import numpy as np
import pytest
import torch

from mmuda.labeling import Argmax, ClassBalanced, ExactConfidences, Global, MedianCap, ThresholdStrategy, most_likely
from mmuda.registry import LABEL_STRATEGIES

C = 4


def statistics_of(*values_by_class, rate: int = 1) -> ExactConfidences:
    """Return exact statistics of one image with these confidences in each class."""
    statistics = ExactConfidences(len(values_by_class), rate)
    labels = np.repeat(np.arange(len(values_by_class)), [len(values) for values in values_by_class])
    values = np.concatenate([np.asarray(values, np.float32) for values in values_by_class])
    statistics.add(torch.from_numpy(values)[None], torch.from_numpy(labels)[None])
    return statistics


def random_maps(seed: int, number: int = 3, quantised: bool = False, scale: float = 1):
    """Yield probabilities (C, H, W) in which the last class is never the most likely one."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(number):
        logits = torch.randn(C, 17, 23, generator=generator) * 2
        logits[-1] -= 20
        prob = logits.softmax(dim=0)
        yield (prob * 8).round() / 8 if quantised else prob * scale


def portion_thresholds(maps, portion: float, rate: int, balanced: bool) -> np.ndarray:
    """Return the thresholds of CBST (section on threshold selection), computed from lists as in the original."""
    lists = [[0.0] for _ in range(C)]
    for prob in maps:
        prob = prob.numpy()
        labels, best = prob.argmax(0).ravel(), prob.max(0).ravel()
        for c in range(C):
            lists[c] += best[labels == c][::rate].tolist()
    if not balanced:
        together = sorted([0.0] + sum(lists, []), reverse=True)
        found = [together[int(len(together) * portion) - 1]] * C
    else:
        found = [
            sorted(values, reverse=True)[int(len(values) * portion) - 1]
            if len(values) > 1 and int(len(values) * portion)
            else 0
            for values in lists
        ]
    return np.array([value or 1 for value in found])


@pytest.mark.parametrize('kind, scale', [(dict(), 1), (dict(quantised=True), 1), (dict(scale=1e-7), 1e-7)])
@pytest.mark.parametrize('portion', [0, 0.001, 0.15, 0.2, 0.5, 0.999, 1])
@pytest.mark.parametrize('rate', [1, 4])
@pytest.mark.parametrize('policy', [ClassBalanced, Global])
def test_portions(policy, rate, portion, kind, scale):
    maps = list(random_maps(3, **kind))
    expected = portion_thresholds(maps, portion, rate, policy is ClassBalanced)
    for exact in (True, False):
        strategy = policy(portion, rate=rate, exact=exact)
        statistics = strategy.new_statistics(C)
        for prob in maps:
            statistics.add(*most_likely(prob))
        thresholds = strategy.thresholds(statistics)
        assert thresholds.dtype == np.float64
        if exact:
            assert thresholds.tolist() == expected.tolist()
        np.testing.assert_allclose(thresholds, expected, rtol=2**-12, atol=0)
        for prob in maps:
            ratio = prob.numpy() / thresholds.astype(np.float32)[:, None, None]
            labels = np.where(ratio.max(0) >= 1, ratio.argmax(0), 255)
            found = strategy.label(prob, torch.from_numpy(thresholds))
            assert found.dtype == torch.uint8
            np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize('policy', [ClassBalanced, Global])
def test_the_whole_portion_selects_nothing(policy):
    # The portion 1.0 ends at the additional zero, and a threshold of zero becomes one.
    strategy = policy(1.0, rate=1, exact=True)
    assert strategy.thresholds(statistics_of([0.6, 0.7], [0.8], [])).tolist() == [1, 1, 1]


def test_extra_zero_moves_the_rank():
    # Class 0, two confidences and the zero: floor(3 * 0.34) = 1. Class 1, one and the zero: floor(2 * 0.34) = 0.
    statistics = statistics_of([0.5, 0.75], [0.625], [])
    strategy = ClassBalanced(0.34, rate=1, exact=True)
    assert strategy.raw_thresholds(statistics).tolist() == [0.75, 0, 0]
    assert strategy.thresholds(statistics).tolist() == [0.75, 1, 1]
    assert strategy.sizes(statistics).tolist() == [3, 2, 0]
    # Global: three confidences and four zeros: floor(7 * 0.43) = 3.
    assert Global(0.43, rate=1, exact=True).thresholds(statistics).tolist() == [0.5] * 3
    assert Global(0.1, rate=1, exact=True).raw_thresholds(statistics).tolist() == [0] * 3
    assert Global(0.43, rate=1).sizes(statistics).tolist() == [3, 2, 0]


def test_ties_and_overshoot():
    strategy = ClassBalanced(0.2)
    prob = torch.tensor([[0.5, 0.25, 0.5, 0.4], [0.25, 0.25, 0.25, 1.125], [-0.1, 0.5, 0.25, -0.5]])[:, None]
    thresholds = torch.tensor([0.5, 1.0, 0.5], dtype=torch.float64)
    # Pixels: equal to the threshold; equal ratios below 1; equal ratios of 1: the lowest class; above a threshold of 1.
    assert strategy.label(prob, thresholds).tolist() == [[0, 2, 0, 1]]
    assert strategy.label(prob * 0.5, thresholds).tolist() == [[255, 255, 255, 255]]
    ratio, labels = strategy.reweighted(prob * 0.5, thresholds)
    assert labels.tolist() == [[0, 2, 0, 1]] and ratio.tolist() == [[0.5, 0.5, 0.5, 0.5625]]


def test_division_is_that_of_float32():
    # In float64, the second ratio is greater. In float32, both are equal and the lower class wins.
    rng = np.random.default_rng(0)
    while True:
        t, u = rng.random(2)
        t, u = float(np.float32(t)), float(np.float32(u))
        p = np.float32(rng.random())
        q = np.float32(p * u / t)
        one, two = np.float32(p) / np.float32(t), np.float32(q) / np.float32(u)
        if one == two and float(q) / u > float(p) / t:
            break
    prob = torch.tensor([p, q])[:, None, None]
    labels = ClassBalanced(0.2).reweighted(prob, torch.tensor([t, u], dtype=torch.float64))[1]
    assert labels.item() == 0


@pytest.mark.parametrize('exact', [True, False])
@pytest.mark.parametrize('n', range(12))
def test_median_rounds_half_to_even(n, exact):
    values = (np.arange(n) + 1) / 16
    strategy = MedianCap(cap=1, exact=exact)
    statistics = strategy.new_statistics(2)
    confidence = torch.from_numpy(np.random.default_rng(n).permutation(values)).float()[None]
    statistics.add(confidence, torch.ones(1, n, dtype=torch.uint8)) if n else None
    expected = values[{1: 0, 2: 1, 3: 2, 4: 2, 5: 2, 6: 3, 7: 4, 8: 4, 9: 4, 10: 5, 11: 6}[n]] if n else 0
    assert strategy.thresholds(statistics).tolist() == [0, expected]
    assert MedianCap(cap=0.25).thresholds(statistics).tolist() == [0, min(expected, 0.25)]
    assert strategy.sizes(statistics).tolist() == [0, n]


def test_cap_is_compared_as_float64():
    strategy = MedianCap()
    near = np.float32(0.9)  # slightly below 0.9
    above = np.nextafter(near, np.float32(1))
    assert float(near) < 0.9 < float(above)
    prob = torch.tensor([[near, above, 0.3, 1.0], [0.1, 0.1, 0.5, 0.0]])[:, None]
    thresholds = torch.tensor([0.9, 0.5], dtype=torch.float64)
    assert strategy.label(prob, thresholds).tolist() == [[255, 0, 1, 0]]
    # For any cap, a pixel is kept if `q >= cap` in float64.
    for seed in range(200):
        cap = np.random.default_rng(seed).uniform(0.5, 1)
        values = np.float32(cap) + np.arange(-2, 3, dtype=np.float32) * np.spacing(np.float32(cap))
        prob = torch.stack([torch.from_numpy(values), torch.zeros(5)])[:, None]
        labels = MedianCap(cap).label(prob, torch.tensor([cap, 0], dtype=torch.float64))
        np.testing.assert_array_equal(labels[0] != 255, values.astype(np.float64) >= cap)


def test_argmax_labels_every_pixel():
    strategy = Argmax()
    assert not isinstance(strategy, ThresholdStrategy)
    for prob in random_maps(0, quantised=True):
        np.testing.assert_array_equal(strategy.label(prob), prob.numpy().argmax(0))


@pytest.mark.parametrize('strategy', [ClassBalanced(0.2), Global(0.2), MedianCap(), Argmax()])
def test_a_pixel_of_nan_is_ignored(strategy):
    prob = torch.full((C, 2, 2), 0.25)
    prob[1, 0, 0] = torch.nan
    thresholds = torch.full((C,), 0.2, dtype=torch.float64)
    assert strategy.label(prob, thresholds).tolist() == [[255, 0], [0, 0]]


@pytest.mark.parametrize(
    'cfg',
    [
        dict(type='ClassBalanced', portion=0.2, rate=4, exact=False),
        dict(type='Global', portion=0.5, rate=1, exact=True),
        dict(type='MedianCap', cap=0.9, exact=False),
        dict(type='Argmax'),
    ],
)
def test_description_builds_the_same(cfg):
    strategy = LABEL_STRATEGIES.build(dict(cfg))
    assert strategy.describe() == cfg
    assert LABEL_STRATEGIES.build(strategy.describe()).describe() == cfg


@pytest.mark.parametrize(
    'cfg, says',
    [
        (dict(type='ClassBalanced', portion=1.2), r'portion=1.2: must be in \[0, 1\]'),
        (dict(type='Global', portion=-0.1), r'portion=-0.1: must be in \[0, 1\]'),
        (dict(type='Global', portion=float('nan')), r'portion=nan: must be in \[0, 1\]'),
        (dict(type='ClassBalanced', portion=0.2, rate=0), 'rate=0: must be a whole number'),
        (dict(type='MedianCap', cap=0), r'cap=0: must be in \(0, 1\]'),
    ],
)
def test_arguments_out_of_range(cfg, says):
    with pytest.raises(ValueError, match=says):
        LABEL_STRATEGIES.build(cfg)


@pytest.mark.parametrize('strategy', [ClassBalanced(0.2), Global(0.2), MedianCap()])
@pytest.mark.parametrize(
    'prob, thresholds',
    [
        (torch.rand(C, 2, 3), torch.rand(C + 1)),
        (torch.rand(1, C, 2, 3), torch.rand(1)),
        (torch.rand(C, 2, 3).double(), torch.rand(C)),
    ],
)
def test_other_shapes_and_types_are_errors(strategy, prob, thresholds):
    with pytest.raises(ValueError, match=r'expected float32 \(C, H, W\) and \(C,\)'):
        strategy.label(prob, thresholds)
