"""ClassMix: paste the pixels of half of the classes of one image into another."""

import torch
from torch import Tensor

from mmuda.constants import IGNORE_INDEX

VALUES = 256
"""Number of possible labels, which are bytes."""

CLASSES_OF = ('image', 'batch')


def draw_class_keys(generator: torch.Generator, count: int) -> Tensor:
    """Return random keys by which :func:`class_mask` orders classes: (count, 256) float32 in [0, 1), on the CPU."""
    return torch.rand(count, VALUES, generator=generator)


def class_mask(labels: Tensor, keys: Tensor, classes_of: str = 'image', ignored_is_class: bool = False) -> Tensor:
    """Return the mask of half of the classes of each image (Olsson et al., "ClassMix", WACV 2021; DACS, section 3.1).

    Of n present classes, the ceil(n / 2) classes with the smallest keys are chosen. With uniform keys, every set of
    this size has the same probability. The number of classes stays on the device, so there is no sync.

    Args:
        labels: (N, H, W) int64; values below 0 count as 255.
        keys: (N, 256) on the device of the labels: a number for each label value of each image.
        classes_of: ``'image'``: choose from the classes of each image (ClassMix, DACS). ``'batch'``: choose from the
            classes of all images, as in the released code of DAFormer. The mask of an image can then have any number
            of its classes.
        ignored_is_class: Count 255 as a class, as the released code of DACS and its successors does. Unlabelled pixels
            can then be pasted as well.

    Returns:
        (N, H, W) bool, True where the pixel belongs to a chosen class.
    """
    values = labels.flatten(1)
    values = values.masked_fill(values < 0, IGNORE_INDEX)
    present = torch.zeros(len(labels), VALUES, dtype=torch.bool, device=labels.device).scatter_(1, values, True)
    if not ignored_is_class:
        present[:, IGNORE_INDEX] = False
    if classes_of == 'batch':
        present = present.any(dim=0).expand_as(present)
    order = keys.masked_fill(~present, torch.inf).argsort(dim=1, stable=True)
    ranks = torch.empty_like(order).scatter_(1, order, torch.arange(VALUES, device=order.device).expand_as(order))
    chosen = ranks < (present.sum(dim=1, keepdim=True) + 1) // 2
    return chosen.gather(1, values).view_as(labels)
