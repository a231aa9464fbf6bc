"""Regions of class maps, stuff and things, and the mean features of all regions at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor


class Component(NamedTuple):
    """A connected region.

    Attributes:
        number: Its number in raster order of first pixels, from 1 on.
        area: Number of its pixels.
    """

    number: int
    area: int


def connected_components(mask: np.ndarray) -> tuple[np.ndarray, list[Component]]:
    """Return the 8-connected components of a mask, the largest first.

    Of equal areas the component that begins later in raster order comes first, so the order does not depend on a
    library.

    Args:
        mask: (h, w) bool.

    Returns:
        The numbers of the components by pixel, (h, w) int32, 0 outside of all, and the components.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))  # numbers in raster order of first pixels
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    ranked = np.argsort(areas[1:], kind='stable')[::-1] + 1
    return labels, [Component(int(number), int(areas[number])) for number in ranked]


class Regions(NamedTuple):
    """The regions of several images. Every image has K = S + T * keep regions, most of them empty.

    Region s < S is all pixels of stuff class s; S + t * keep + i is the i-th largest component of thing class t.

    Attributes:
        region: (N, h, w) int64, the index of the region of each pixel, K where there is none.
        instances: (N, T) int64, the number of kept components of each thing class.
        most: The largest of these numbers.
    """

    region: Tensor
    instances: Tensor
    most: int


def find_regions(classes: Tensor, stuff: Sequence[int], things: Sequence[int], keep: int = 10) -> Regions:
    """Return the stuff regions and thing instances of class maps; they are computed on the host, with one sync.

    Args:
        classes: (N, h, w) integers; values that are neither stuff nor things belong to no region.
        stuff: Ids of the S stuff classes.
        things: Ids of the T thing classes.
        keep: Number of components kept of each thing class and image, the largest ones.
    """
    maps = classes.cpu().numpy()
    total = len(stuff) + len(things) * keep
    index = np.full(maps.shape, total, np.int64)
    instances = np.zeros((len(maps), len(things)), np.int64)
    table = np.full(max(256, int(maps.max(initial=0)) + 1), total, np.int64)
    table[list(stuff)] = np.arange(len(stuff))
    for image, one in enumerate(maps):
        index[image] = table[one]
        for t in np.flatnonzero(np.isin(things, one)).tolist():
            labels, components = connected_components(one == things[t])
            components = components[:keep]
            instances[image, t] = len(components)
            places = np.full(labels.max() + 1, total, np.int64)
            for rank, component in enumerate(components):
                places[component.number] = len(stuff) + t * keep + rank
            inside = labels > 0
            index[image][inside] = places[labels[inside]]
    return Regions(
        torch.from_numpy(index).to(classes.device, non_blocking=True),
        torch.from_numpy(instances).to(classes.device, non_blocking=True),
        int(instances.max(initial=0)),
    )


def region_means(features: Tensor, index: Tensor, num_regions: int) -> tuple[Tensor, Tensor]:
    """Return the mean feature of every region, with one sum over the pixels.

    Args:
        features: (N, C, h, w); gradients flow into them.
        index: (N, h, w) int64, the region of each pixel, as :attr:`Regions.region`.
        num_regions: K.

    Returns:
        The means (N, K, C) float32, zero for an empty region, and the numbers of pixels (N, K) float32.
    """
    index = index.flatten(1)
    with torch.autocast(features.device.type, enabled=False):
        sums = _RegionSums.apply(features.float().flatten(2), index, num_regions + 1)
        counts = sums.new_zeros(len(sums), num_regions + 1).scatter_add_(
            1, index, torch.ones_like(index, dtype=sums.dtype)
        )
        means = sums / counts.clamp(min=1)[:, None]
    return means.transpose(1, 2)[:, :-1], counts[:, :-1]


class _RegionSums(torch.autograd.Function):
    """Sum pixels (N, C, P) by their index (N, P) into (N, C, K); the backward pass keeps the layout of the features."""

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, index: Tensor, num_regions: int) -> Tensor:
        ctx.save_for_backward(index)
        sums = pixels.new_zeros(*pixels.shape[:2], num_regions)
        return sums.scatter_add_(2, index[:, None].expand_as(pixels), pixels)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (index,) = ctx.saved_tensors
        return torch.stack([one.index_select(1, places) for one, places in zip(grad, index, strict=True)]), None, None
