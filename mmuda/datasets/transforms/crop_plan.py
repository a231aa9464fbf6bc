"""Geometry of the training crop of CBST: a random square that can be centred on a small class."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from .draws import Draws


class CropRule(NamedTuple):
    """Settings of the crop that are the same for all images; see :class:`SmallClassCrop`."""

    size: int
    stride: int
    scale_range: tuple[float, float]
    origin_size: int | None
    max_shape: tuple[int, int] | None
    probability: float
    flip: float


class CropPlan(NamedTuple):
    """Position of the crop of one image, and the draws that led to it.

    The crop is cut from a square canvas. The image is on the canvas at (d0, d0); all other pixels have the border
    colour and the ignored label.

    Attributes:
        target_sizes: Smallest and largest length to which the longer side can be scaled, in pixels.
        target_size: Length that was drawn from this range.
        rate: Scale of the image: ``target_size`` / longer side of ``max_shape``.
        side: Side of the square crop in pixels of the unscaled image.
        border: (d0, d1), the border before and after the image in pixels.
        canvas: Side of the canvas in pixels.
        mining: Whether a small class was searched for.
        candidates: Small classes on which a crop inside of the image can be centred.
        chosen: Class that was drawn from the candidates; None for an unconstrained crop.
        num_locations: Number of pixels of this class to choose from; 0 for an unconstrained crop.
        bounds: Exclusive upper bounds (row, column) for the corner of an unconstrained crop, truncated to integers
            before the draw; None for a crop that is centred on a small class.
        corner: (row, column) of the first pixel of the crop on the canvas.
        flip: Whether the crop is mirrored.
    """

    target_sizes: tuple[int, int]
    target_size: int
    rate: float
    side: int
    border: tuple[int, int]
    canvas: int
    mining: bool
    candidates: tuple[int, ...]
    chosen: int | None
    num_locations: int
    bounds: tuple[float, float] | None
    corner: tuple[int, int]
    flip: bool


def plan_crop(
    label: np.ndarray | None,
    shape: tuple[int, int],
    rule: CropRule,
    priority: Sequence[int],
    mined: Sequence[int],
    draws: Draws,
) -> CropPlan:
    """Return the crop of one image: a pure function of the arguments and of the drawn numbers.

    The order of the draws is: the target size, whether to search for a small class, then either the class and one of
    its pixels or the row and the column of the corner, and last the flip.

    Args:
        label: (H, W) uint8 train ids. It is only needed if the probability of the rule is above 0.
        shape: (H, W) of the image.
        rule: Settings of the crop.
        priority: Train ids that are searched for first.
        mined: Train ids that are searched for if no crop can be centred on a class with priority.
        draws: Source of random numbers.

    Raises:
        ValueError: If a small class is to be searched for and ``label`` is None.
    """
    longest = max(rule.max_shape or shape)
    origin = rule.origin_size or longest
    first, last = (max(1, int(scale * origin)) for scale in rule.scale_range)
    target_size = draws.integer(first, last + 1)
    rate = target_size / longest
    side, grid = max(1, int(rule.size / rate)), rule.stride / rate
    before = max(1, int(grid // 2))
    after = max(0, int(grid - before))
    canvas = max(int(rule.size / (first / longest)), *shape) + before + after

    mining = draws.fraction(1) < rule.probability
    candidates: tuple[int, ...] = ()
    if mining:
        if label is None:
            raise ValueError('plan_crop: small classes are searched for in the label, but label is None')
        # A crop that is centred on one of these pixels lies inside of the image.
        half = side // 2
        ends = [int(max(1, grid, before + length - half - 1)) - before for length in shape]
        inside = label[half : ends[0], half : ends[1]]
        candidates = _present(inside, priority) or _present(inside, mined)
    chosen, num_locations, bounds = None, 0, None
    if candidates:
        chosen = candidates[min(int(draws.fraction(len(candidates))), len(candidates) - 1)]
        locations = np.flatnonzero(inside == chosen)
        num_locations = len(locations)
        row, column = divmod(int(locations[draws.integer(0, num_locations)]), inside.shape[1])
        corner = (row + before, column + before)
    else:
        rows, columns = (float(max(1, grid, before + length - side + 1)) for length in shape)
        bounds = (rows, columns)
        corner = (draws.integer(0, int(rows)), draws.integer(0, int(columns)))
    return CropPlan(
        target_sizes=(first, last),
        target_size=target_size,
        rate=rate,
        side=side,
        border=(before, after),
        canvas=canvas,
        mining=mining,
        candidates=candidates,
        chosen=chosen,
        num_locations=num_locations,
        bounds=bounds,
        corner=corner,
        flip=draws.fraction(1) < rule.flip,
    )


def _present(label: np.ndarray, ids: Sequence[int]) -> tuple[int, ...]:
    if not label.size or not len(ids):
        return ()
    counts = cv2.calcHist([label], [0], None, [256], [0, 256]).ravel()
    return tuple(int(class_id) for class_id in ids if counts[class_id])


def cut(array: np.ndarray, plan: CropPlan, border: int | Sequence[int]) -> np.ndarray:
    """Cut the crop out of the canvas around an image, without making the canvas.

    Args:
        array: (H, W) or (H, W, C).
        plan: Position of the crop.
        border: Value of the pixels outside of the image, one for each channel.

    Returns:
        (side, side) or (side, side, C) of the same dtype; a view if the crop lies inside of the image.
    """
    top, left = (start - plan.border[0] for start in plan.corner)
    height, width = array.shape[:2]
    rows = slice(max(0, top), max(0, min(height, top + plan.side)))
    columns = slice(max(0, left), max(0, min(width, left + plan.side)))
    inside = array[rows, columns]
    if inside.shape[:2] == (plan.side, plan.side):
        return inside
    crop = np.empty((plan.side, plan.side, *array.shape[2:]), array.dtype)
    crop[:] = border
    row, column = rows.start - top, columns.start - left
    crop[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return crop
