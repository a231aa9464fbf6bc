"""Statistics of confidences, exact and as histograms: contents, ranks, merging, snapshots and several processes."""

import io

import numpy as np
import pytest
import torch
from processes import run_on_processes

from mmuda.labeling import ConfidenceHistogram, ExactConfidences, argmax_classes, most_likely

KINDS = (ExactConfidences, ConfidenceHistogram)
C = 5


def image(seed: int, size=(23, 31), classes=C, bits: int = 12):
    """Return confidences that a histogram stores exactly, and labels; class 1 is rare and class 3 absent."""
    rng = np.random.default_rng(seed)
    confidence = rng.integers(1, 2**bits + 1, size).astype(np.float32) / 2**bits
    labels = rng.choice([c for c in range(classes) if c != 3], size).astype(np.uint8)
    labels[(labels == 1) & (rng.random(size) < 0.97)] = 0
    return torch.from_numpy(confidence), torch.from_numpy(labels)


def kept(images, label: int, rate: int) -> np.ndarray:
    """Return the confidences that the authors' code keeps of one class, in descending order."""
    return np.sort(np.concatenate([q.numpy()[labels.numpy() == label][::rate] for q, labels in images]))[::-1]


def collect(kind, images, rate=1, classes=C):
    statistics = kind(classes, rate)
    for confidence, labels in images:
        statistics.add(confidence, labels)
    return statistics


def assert_same(one, two) -> None:
    for key, value in one.state().items():
        other = two.state()[key]
        np.testing.assert_array_equal(np.sort(value), np.sort(other), err_msg=key)


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('classes', [1, 2, 19, 255])
def test_most_likely_is_the_lowest_of_equal_classes(classes, ties):
    scores = torch.randn(classes, 70, 130, generator=torch.Generator().manual_seed(classes))
    scores = (scores * 2).round() if ties else scores
    best, labels = most_likely(scores)
    assert labels.dtype == torch.uint8
    np.testing.assert_array_equal(labels, scores.numpy().argmax(0))
    np.testing.assert_array_equal(best, scores.numpy().max(0))


@pytest.mark.parametrize('size', [(1, 1), (3, 400_000), (1030, 700)])
@pytest.mark.parametrize('order', [(0, 1, 2), (2, 0, 1)])
def test_most_likely_of_any_size(size, order):
    scores = torch.rand([(3, *size)[axis] for axis in np.argsort(order)]).permute(order)
    kept_scores = scores.clone()
    divisors = torch.tensor([0.3, 0.7, 1.0], dtype=torch.float64)
    best, labels = most_likely(scores, divisors)
    ratio = scores.numpy() / divisors.float().numpy()[:, None, None]
    np.testing.assert_array_equal(best, ratio.max(0))
    np.testing.assert_array_equal(labels, ratio.argmax(0))
    assert torch.equal(scores, kept_scores)


def test_most_likely_of_nan_is_ignored():
    scores = torch.rand(4, 2, 3)
    scores[2, 0, 1] = torch.nan
    best, labels = most_likely(scores)
    assert best.isnan().nonzero().tolist() == (labels == 255).nonzero().tolist() == [[0, 1]]


@pytest.mark.parametrize('rate', [1, 2, 3, 4, 1000])
@pytest.mark.parametrize('kind', KINDS)
def test_every_so_many_pixels_of_each_image_and_class(kind, rate):
    images = [image(seed, size) for seed, size in enumerate([(23, 31), (8, 5), (1, 1), (40, 17)])]
    statistics = collect(kind, images, rate)
    expected = [kept(images, label, rate) for label in range(C)]
    assert statistics.counts.tolist() == [len(values) for values in expected]
    assert statistics.counts.dtype == np.int64
    assert statistics.total == sum(map(len, expected))
    for rank in range(-1, max(map(len, expected)) + 2):
        found = statistics.kth_largest(np.full(C, rank))
        assert found.dtype == np.float64
        assert found.tolist() == [values[rank - 1] if 1 <= rank <= len(values) else 0 for values in expected]
    together = np.sort(np.concatenate(expected))[::-1]
    for rank in (-1, 0, 1, 2, len(together) // 2, len(together), len(together) + 1):
        assert statistics.kth_largest_overall(rank) == (together[rank - 1] if 1 <= rank <= len(together) else 0)


@pytest.mark.parametrize('rate', [1, 4])
@pytest.mark.parametrize('kind', KINDS)
def test_nothing_seen(kind, rate):
    statistics = kind(C, rate)
    assert statistics.counts.tolist() == [0] * C and statistics.total == 0
    assert statistics.kth_largest(np.ones(C, int)).tolist() == [0] * C
    assert statistics.kth_largest_overall(1) == 0


@pytest.mark.parametrize('kind, classes', [(kind, 1) for kind in KINDS] + [(ExactConfidences, 255)])
def test_fewest_and_most_classes(kind, classes):
    labels = torch.arange(3 * classes, dtype=torch.int64).reshape(3, -1) % classes
    statistics = collect(kind, [(torch.full(labels.shape, 0.75), labels)], rate=2, classes=classes)
    assert statistics.counts.tolist() == [2] * classes
    assert statistics.kth_largest(np.full(classes, 2)).tolist() == [0.75] * classes


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32, torch.int64])
@pytest.mark.parametrize('kind', KINDS)
def test_labels_of_any_integer_type(kind, dtype):
    confidence, labels = image(0)
    assert_same(collect(kind, [(confidence, labels)], 4), collect(kind, [(confidence, labels.to(dtype))], 4))


@pytest.mark.parametrize('kind', KINDS)
def test_negative_counts_as_zero(kind):
    statistics = collect(kind, [(torch.tensor([[-0.25, 0.5, -0.0]]), torch.zeros(1, 3, dtype=torch.uint8))])
    assert [statistics.kth_largest_overall(rank) for rank in (1, 2, 3)] == [0.5, 0, 0]


@pytest.mark.parametrize('kind', KINDS)
def test_merge_and_state(kind):
    images = [image(seed) for seed in range(6)]
    whole = collect(kind, images, rate=4)
    one, two = (collect(kind, part, rate=4) for part in (images[:2], images[2:]))
    one.merge(two)
    assert_same(one, whole)

    file = io.BytesIO()
    np.savez(file, **collect(kind, images[:2], rate=4).state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        resumed = kind(C, 4)
        resumed.add(*images[5])  # load_state must discard this
        resumed.load_state(dict(archive))
    for confidence, labels in images[2:]:
        resumed.add(confidence, labels)
    assert_same(resumed, whole)


@pytest.mark.parametrize(
    'kind, other',
    [(kind, other) for kind in KINDS for other in (kind(C + 1, 4), kind(C, 1), KINDS[kind is ExactConfidences](C, 4))],
)
def test_others_do_not_fit(kind, other):
    statistics = kind(C, 4)
    with pytest.raises(ValueError, match='do not fit'):
        statistics.merge(other)
    with pytest.raises(ValueError, match='do not fit'):
        statistics.load_state(other.state())


@pytest.mark.parametrize('rate', [1, 4])
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
    'confidence, label, dtype',
    [
        (float('nan'), 0, torch.uint8),
        (-float('nan'), 0, torch.uint8),
        (0.5, C, torch.uint8),
        (0.5, 255, torch.uint8),
        (0.5, 256, torch.int64),  # 0 as uint8
        (0.5, -256, torch.int64),
    ],
)
def test_what_cannot_be_counted_is_an_error(kind, confidence, label, dtype, rate):
    maps = torch.full((4, 6), 0.5), torch.zeros(4, 6, dtype=dtype)
    maps[0][2, 3], maps[1][2, 3] = confidence, label
    statistics = kind(C, rate)
    with pytest.raises(ValueError, match='1 pixels are NaN or of a class outside 0..4'):
        statistics.add(*maps)
        statistics.kth_largest(np.ones(C, int))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
    'confidence, labels',
    [
        (torch.rand(4, 5), torch.zeros(5, 4, dtype=torch.uint8)),
        (torch.rand(20), torch.zeros(20, dtype=torch.uint8)),
        (torch.rand(4, 5).double(), torch.zeros(4, 5, dtype=torch.uint8)),
    ],
)
def test_other_shapes_and_types_are_errors(kind, confidence, labels):
    with pytest.raises(ValueError, match=r'expected float32 \(H, W\)'):
        kind(C).add(confidence, labels)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('arguments', [dict(num_classes=0), dict(num_classes=256), dict(rate=0), dict(rate=2.5)])
def test_arguments_out_of_range(kind, arguments):
    with pytest.raises(ValueError, match='='.join(map(str, *arguments.items()))):
        kind(**{'num_classes': C, **arguments})


@pytest.mark.parametrize('kind', KINDS)
def test_one_process_reduces_to_itself(kind):
    statistics = collect(kind, [image(0)], 4)
    statistics.all_reduce()
    assert_same(statistics, collect(kind, [image(0)], 4))


def reduced(rank: int, kind: type) -> dict:
    statistics = collect(kind, [image(seed) for seed in range(5)][rank::2], rate=4)
    statistics.all_reduce()
    return {key: torch.from_numpy(value) for key, value in statistics.state().items()}


@pytest.mark.parametrize('kind', KINDS)
def test_two_processes_see_all_images(tmp_path, kind):
    whole = collect(kind, [image(seed) for seed in range(5)], rate=4)
    for state in run_on_processes(reduced, tmp_path, kind):
        found = kind(C, 4)
        found.load_state({key: value.numpy() for key, value in state.items()})
        assert_same(found, whole)


def test_the_fast_argmax_is_that_of_pytorch():
    torch.manual_seed(0)
    scores = torch.randint(0, 3, (C, 37, 41)).float()  # with ties
    broken = scores.clone()
    broken[2, 3, 4] = torch.nan
    for one in (scores, broken, scores.bfloat16(), torch.rand(300, 5, 7), scores[:, :0]):
        assert torch.equal(argmax_classes(one), one.argmax(dim=0))
