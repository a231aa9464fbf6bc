"""Regions of class maps and their mean features."""

import numpy as np
import pytest
import torch

from mmuda.models.memories.regions import connected_components, find_regions, region_means


def parse(*rows: str) -> np.ndarray:
    return np.array([[sign == '#' for sign in row] for row in rows])


@pytest.mark.parametrize(
    'rows, areas, numbers',
    [
        (('#..', '.#.', '..#'), [3], [1]),  # corners connect
        (('#.#', '...', '##.'), [2, 1, 1], [3, 2, 1]),  # equal areas: the later one is first
        (('...', '...', '...'), [], []),
        (('###', '###', '###'), [9], [1]),
        (('.....#', '#.....', '......'), [1, 1], [2, 1]),  # OpenCV would number them by blocks
        (('#.#', '.#.', '#.#'), [5], [1]),
        (('#...#', '....#', '##..#'), [3, 2, 1], [2, 3, 1]),  # at the border; opposite borders do not connect
        (('##.##.#',), [2, 2, 1], [2, 1, 3]),
    ],
)
def test_components(rows, areas, numbers):
    labels, found = connected_components(parse(*rows))
    assert [c.area for c in found] == areas and [c.number for c in found] == numbers
    assert ((labels > 0) == parse(*rows)).all()


def flooded(mask: np.ndarray) -> np.ndarray:
    """Label the components by flood fill, numbered by their first pixels."""
    labels, count = np.zeros(mask.shape, int), 0
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start]:
            continue
        count += 1
        todo = [start]
        while todo:
            y, x = todo.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] and not labels[y, x]:
                labels[y, x] = count
                todo += [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return labels


@pytest.mark.parametrize('density', [0.1, 0.3, 0.45, 0.7])
def test_components_of_noise_are_those_of_flooding(density):
    mask = np.random.default_rng(3).random((23, 31)) < density
    labels, found = connected_components(mask)
    wanted = flooded(mask)
    np.testing.assert_array_equal(labels, wanted)
    areas = np.bincount(wanted.ravel())
    ranked = sorted(range(1, len(areas)), key=lambda number: (-areas[number], -number))
    assert found == [(number, areas[number]) for number in ranked]


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64])
def test_nothing_to_find(dtype):
    regions = find_regions(torch.full((2, 4, 5), 255, dtype=dtype), stuff=(0, 1), things=(2,), keep=3)
    assert (regions.region == 2 + 3).all() and not regions.instances.any() and regions.most == 0
    means, counts = region_means(torch.randn(2, 6, 4, 5), regions.region, 5)
    assert means.shape == (2, 5, 6) and not means.any() and not counts.any()


def test_regions_of_a_batch():
    maps = torch.tensor([[[0, 0, 5, 5], [7, 7, 7, 5], [255, 0, 7, 0]], [[5, 7, 7, 7], [7, 7, 7, 7], [7, 5, 7, 5]]])
    regions = find_regions(maps, stuff=(7, 0), things=(5, 3), keep=2)
    total = 2 + 2 * 2
    assert regions.region.tolist() == [
        [[1, 1, 2, 2], [0, 0, 0, 2], [total, 1, 0, 1]],
        [[total, 0, 0, 0], [0, 0, 0, 0], [0, 3, 0, 2]],
    ]  # three of equal size: the last two are kept
    assert regions.instances.tolist() == [[1, 0], [2, 0]] and regions.most == 2


def test_means_and_gradients_are_those_of_a_loop():
    torch.manual_seed(0)
    features = torch.randn(2, 5, 6, 7, requires_grad=True)
    index = torch.randint(0, 5, (2, 6, 7))
    index[0][index[0] == 2] = 4  # class 2 has no pixel in the first image
    means, counts = region_means(features, index, 4)
    assert means.shape == (2, 4, 5) and counts.sum() == (index < 4).sum()
    wanted = torch.stack(
        [
            torch.stack(
                [
                    features[i][:, index[i] == k].mean(dim=1) if (index[i] == k).any() else features.new_zeros(5)
                    for k in range(4)
                ]
            )
            for i in range(2)
        ]
    )
    torch.testing.assert_close(means, wanted)
    weight = torch.randn_like(means)
    (found,) = torch.autograd.grad((means * weight).sum(), features)
    (expected,) = torch.autograd.grad((wanted * weight).sum(), features)
    torch.testing.assert_close(found, expected)


def test_means_of_half_precision_are_full():
    features = torch.randn(1, 4, 3, 3, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        means, counts = region_means(features, torch.zeros(1, 3, 3, dtype=torch.int64), 2)
    assert means.dtype == counts.dtype == torch.float32
    torch.testing.assert_close(means[0, 0], features[0].float().mean(dim=(1, 2)))
    means.sum().backward()
    assert features.grad.dtype == torch.bfloat16 and features.grad.all()
