"""Regions of class maps (stuff classes and thing instances), and the mean features of all regions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor


class Component(NamedTuple):
    """A connected component.

    Attributes:
        number: Number of the component, from 1 on, in raster order of the first pixels.
        area: Number of pixels.
    """

    number: int
    area: int


def connected_components(mask: np.ndarray) -> tuple[np.ndarray, list[Component]]:
    """Return the 8-connected components of a mask, the largest first.

    Of two components with equal areas, the one whose first pixel is later in raster order comes first. So the order
    does not depend on the library.

    Args:
        mask: (h, w) bool.

    Returns:
        The number of the component of each pixel, (h, w) int32, 0 outside of all components; and the components.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))  # numbers are in raster order of the first pixels
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    ranked = np.argsort(areas[1:], kind='stable')[::-1] + 1
    return labels, [Component(int(number), int(areas[number])) for number in ranked]


class Regions(NamedTuple):
    """The regions of N images.

    With S stuff classes and T thing classes, every image has K = S + T * keep regions, most of them empty. Region
    s < S is all pixels of stuff class s. Region S + t * keep + i is the i-th largest component of thing class t.

    Attributes:
        region: (N, h, w) int64, the index of the region of each pixel; K if it is in no region.
        instances: (N, T) int64, the number of kept components of each thing class.
        most: The largest value in ``instances``.
    """

    region: Tensor
    instances: Tensor
    most: int


def find_regions(classes: Tensor, stuff: Sequence[int], things: Sequence[int], keep: int = 10) -> Regions:
    """Return the stuff regions and thing instances of class maps. They are computed on the CPU, with one sync.

    Args:
        classes: (N, h, w) integers; values that are neither stuff nor things belong to no region.
        stuff: Train ids of the S stuff classes.
        things: Train ids of the T thing classes.
        keep: Number of components to keep for each thing class and image; the largest ones are kept.
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
    """Return the mean feature of every region, computed in one sum over the pixels.

    Args:
        features: (N, C, h, w); gradients flow into them.
        index: (N, h, w) int64, the region of each pixel, as in :attr:`Regions.region`.
        num_regions: Number of regions K.

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
    """Sums of pixels (N, C, P) by their index (N, P), (N, C, K). The gradient has the memory layout of the features."""

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, index: Tensor, num_regions: int) -> Tensor:
        ctx.save_for_backward(index)
        sums = pixels.new_zeros(*pixels.shape[:2], num_regions)
        return sums.scatter_add_(2, index[:, None].expand_as(pixels), pixels)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (index,) = ctx.saved_tensors
        return torch.stack([one.index_select(1, places) for one, places in zip(grad, index, strict=True)]), None, None
