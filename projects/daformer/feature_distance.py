"""Feature distance of DAFormer, which keeps the features of thing classes close to those of ImageNet."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmuda.constants import IGNORE_INDEX
from mmuda.models import SegOutputs

THINGS = (6, 7, 11, 12, 13, 14, 15, 16, 17, 18)
"""Cityscapes' thing classes: light, sign, person, rider, car, truck, bus, train, motorcycle and bicycle."""


def majority_labels(labels: Tensor, size: Sequence[int], num_classes: int, min_ratio: float) -> Tensor:
    """Return the most frequent label in each cell of a grid over label maps, or 255.

    A cell is 255 if less than ``min_ratio`` of all of its pixels, ignored ones included, have that label. Cells are
    squares with sides of W // w pixels. Pixels beyond the last cell are cut off, as in the released code. If squares do
    not give a grid of (h, w), because height or width of the image is no multiple of the stride, the cells are h x w
    parts of nearly equal size.

    Args:
        labels: (N, H, W) int64; labels outside [0, C) are ignored.
        size: (h, w) of the grid, that of the features.
        num_classes: Number C of classes.
        min_ratio: Smallest share of the majority, in [0, 1].

    Returns:
        (N, h, w) int64.
    """
    (height, width), factor = size, max(1, labels.shape[2] // size[1])
    if (labels.shape[1] // factor, labels.shape[2] // factor) == (height, width):
        labels = labels[:, : height * factor, : width * factor]
    labels = labels.masked_fill((labels < 0) | (labels >= num_classes), num_classes)
    rows, columns = (
        torch.arange(length, device=labels.device) * cells // length
        for length, cells in zip(labels.shape[1:], size, strict=True)
    )
    images = torch.arange(len(labels), device=labels.device)[:, None, None]
    cells = (images * height + rows[:, None]) * width + columns
    places = (cells * (num_classes + 1) + labels).flatten()
    pixels = torch.zeros(len(labels) * height * width * (num_classes + 1), dtype=torch.int32, device=labels.device)
    pixels.scatter_add_(0, places, torch.ones_like(places, dtype=torch.int32))
    pixels = pixels.view(len(labels), height, width, num_classes + 1)
    most, majority = (pixels / pixels.sum(dim=3, keepdim=True)).max(dim=3)
    return majority.masked_fill_((majority == num_classes) | (most < min_ratio), IGNORE_INDEX)


def feature_distance(features: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    r"""Return the mean distance of features over a mask (Hoyer et al., DAFormer, CVPR 2022, eqs. 8 to 10).

    .. math:: L = \frac{\sum_i m_i \lVert f_i - g_i \rVert_2}{\sum_i m_i}

    If the mask is empty, the result is a differentiable zero. (The released code logs NaN then; its gradient is zero.)

    Args:
        features: f, (N, K, h, w), float32.
        reference: g, of the same shape.
        mask: m, (N, h, w) bool; true where features count.
    """
    distances = torch.linalg.vector_norm(features.float() - reference.float(), dim=1)
    return (distances * mask).sum() / mask.sum().clamp(min=1)


class ReferenceFeatures(nn.Module):
    """Segmentor without heads, whose backbone keeps its starting weights.

    Args:
        segmentor: Config of the segmentor that is adapted. The ``init_cfg`` of its backbone names the starting weights.
    """

    def __init__(self, segmentor: dict) -> None:
        super().__init__()
        self.segmentor: Any = MODELS.build(segmentor)
        for name in ('decode_head', 'auxiliary_head'):
            if hasattr(self.segmentor, name):
                delattr(self.segmentor, name)

    def init_weights(self) -> None:
        """Load the weights that the config of the backbone names."""
        self.segmentor.init_weights()

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """Return the features of the last stage, (N, K, h, w), of normalised images (N, 3, H, W)."""
        outputs: SegOutputs = self.segmentor(inputs, mode='features')
        return outputs.features[-1]


def class_table(classes: Sequence[int] | None, num_classes: int) -> Tensor:
    """Return a look-up table (256,) bool that is true for the labels of some classes.

    Args:
        classes: Train ids; None for all labels, 255 included.
        num_classes: Number C of classes.

    Raises:
        ValueError: If a class is not in [0, C).
    """
    if classes is None:
        return torch.ones(IGNORE_INDEX + 1, dtype=torch.bool)
    if not set(classes) <= set(range(num_classes)):
        raise ValueError(f'distance_classes={sorted(classes)}: expected train ids from 0 to {num_classes - 1}')
    table = torch.zeros(IGNORE_INDEX + 1, dtype=torch.bool)
    table[list(classes)] = True
    return table
