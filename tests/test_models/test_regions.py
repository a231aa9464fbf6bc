"""Regions of class maps and their mean features."""
import numpy as np
import pytest
import torch

from mmuda.models.regions import connected_components, find_regions, region_means


def parse(*rows: str) -> np.ndarray:
    return np.array([[sign == '#' for sign in row] for row in rows])


@pytest.mark.parametrize('rows, areas, numbers', [
    (('#..', '.#.', '..#'), [3], [1]),  # corners touch
    (('#.#', '...', '##.'), [2, 1, 1], [3, 2, 1]),  # of equal ones the later first
    (('...', '...', '...'), [], []),
    (('###', '###', '###'), [9], [1]),
    (('.....#', '#.....', '......'), [1, 1], [2, 1]),  # OpenCV would number by blocks
])
def test_components(rows, areas, numbers):
    labels, found = connected_components(parse(*rows))
    assert [c.area for c in found] == areas and [c.number for c in found] == numbers
    assert ((labels > 0) == parse(*rows)).all()


def test_regions_of_a_batch():
    maps = torch.tensor([[[0, 0, 5, 5], [7, 7, 7, 5], [255, 0, 7, 0]], [[5, 7, 7, 7], [7, 7, 7, 7], [7, 5, 7, 5]]])
    regions = find_regions(maps, stuff=(7, 0), things=(5, 3), keep=2)
    total = 2 + 2 * 2
    assert regions.index.tolist() == [
        [[1, 1, 2, 2], [0, 0, 0, 2], [total, 1, 0, 1]],
        [[total, 0, 0, 0], [0, 0, 0, 0], [0, 3, 0, 2]]]  # three of equal size: the last two are kept
    assert regions.instances.tolist() == [[1, 0], [2, 0]] and regions.most == 2


def test_means_and_gradients_are_those_of_a_loop():
    torch.manual_seed(0)
    features = torch.randn(2, 5, 6, 7, requires_grad=True)
    index = torch.randint(0, 5, (2, 6, 7))
    index[0][index[0] == 2] = 4  # no pixel in the first image
    means, counts = region_means(features, index, 4)
    assert means.shape == (2, 4, 5) and counts.sum() == (index < 4).sum()
    wanted = torch.stack([torch.stack([
        features[i][:, index[i] == k].mean(dim=1) if (index[i] == k).any() else features.new_zeros(5) for k in range(4)])
        for i in range(2)])
    torch.testing.assert_close(means, wanted)
    weight = torch.randn_like(means)
    found, = torch.autograd.grad((means * weight).sum(), features)
    expected, = torch.autograd.grad((wanted * weight).sum(), features)
    torch.testing.assert_close(found, expected)
