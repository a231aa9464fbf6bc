"""Choice of the pasted classes in ClassMix."""

import itertools

import pytest
import torch

from mmuda.models.teachers import class_mask, draw_class_keys

LABELS = torch.tensor([[[0, 0, 1, 1], [2, 2, 255, 255]], [[3, 3, 3, 3], [3, 3, 255, -7]]])


def chosen(labels: torch.Tensor, keys: torch.Tensor, **options) -> list[set]:
    """Return the set of pasted label values for each image."""
    mask = class_mask(labels, keys, **options)
    assert mask.shape == labels.shape and mask.dtype == torch.bool
    pasted = [set(label[where].tolist()) for label, where in zip(labels, mask, strict=True)]
    left = [set(label[~where].tolist()) for label, where in zip(labels, mask, strict=True)]
    assert not any(a & b for a, b in zip(pasted, left, strict=True)), 'a class must be pasted completely or not at all'
    return pasted


def smallest(*values: int, count: int = 2) -> torch.Tensor:
    """Return keys that sort some label values before all others."""
    keys = torch.rand(count, 256) + 1
    keys[:, list(values)] = torch.arange(float(len(values))) / 1000
    return keys


def test_half_of_the_classes_of_each_image_rounded_up():
    assert chosen(LABELS, smallest(2, 0, 1)) == [{0, 2}, {3}]
    assert chosen(LABELS, smallest(1, 2, 0)) == [{1, 2}, {3}]


@pytest.mark.parametrize('first, pasted', [(255, [{255, 0}, {255, -7}]), (3, [{0, 1}, {3}])])
def test_ignored_pixels_are_a_class_of_the_released_code(first, pasted):
    assert chosen(LABELS, smallest(first, 0, 1), ignored_is_class=True) == pasted


def test_classes_of_the_whole_batch_may_leave_an_image_as_it_is():
    keys = torch.cat([smallest(0, 3, count=1), smallest(1, 2, count=1)])
    assert chosen(LABELS, keys, classes_of='batch') == [{0}, set()]


def test_an_image_without_labels_is_not_pasted():
    nothing = torch.full((1, 2, 3), 255)
    assert not class_mask(nothing, draw_class_keys(torch.Generator(), 1)).any()
    assert class_mask(nothing, draw_class_keys(torch.Generator(), 1), ignored_is_class=True).all()


def test_every_set_of_half_of_the_classes_is_equally_likely():
    generator = torch.Generator().manual_seed(0)
    count = 6000
    labels = torch.tensor([3, 7, 18, 254]).expand(count, 1, 4)
    mask = class_mask(labels, draw_class_keys(generator, count))[:, 0]
    for pair in itertools.combinations(range(4), 2):
        wanted = torch.tensor([place in pair for place in range(4)])
        assert (mask == wanted).all(dim=1).float().mean().item() == pytest.approx(1 / 6, abs=0.02)
