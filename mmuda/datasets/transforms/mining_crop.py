"""CBST's training crop: a random scale, and small classes looked for."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmuda.constants import IGNORE_INDEX
from mmuda.labeling import Manifest, mining_classes
from mmuda.resampling import auto_filter

from .checks import check_image, check_label
from .draws import Draws, NumPyDraws
from .pillow_resize import pillow_resize


class CropRule(NamedTuple):
    """Settings that are the same for all images; see :class:`SmallClassCrop`."""

    size: int
    stride: int
    scale_range: tuple[float, float]
    origin_size: int | None
    max_shape: tuple[int, int] | None
    probability: float
    flip: float


class CropPlan(NamedTuple):
    """Where to cut, and how it was found.

    The canvas is a square of border colour and ignored labels with the image at (d0, d0).

    Attributes:
        target_sizes: First and last length that the longer side may be scaled to.
        target_size: The drawn one.
        rate: Scale of the image, target size / longer side of ``max_shape``.
        side: Side of the square crop in pixels of the image.
        border: (d0, d1), the border before and after the image.
        canvas: Side of the canvas.
        mining: Whether a small class was looked for.
        candidates: Small classes that a crop inside the image can be centred on.
        chosen: The drawn one; None for a crop anywhere.
        num_locations: How many pixels of it there are to choose from; 0 for a crop anywhere.
        bounds: Row and column of the corner of a crop anywhere are drawn below the whole parts of these; else None.
        corner: (row, column) of its first pixel on the canvas.
        flip: Whether it is mirrored.
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
    """Find the crop of one image: a pure function of its arguments and of what is drawn.

    Drawn are, in this order, the target size, whether to look for a small class, then either the class and one of
    its pixels or the row and the column of the corner, and last the flip.

    Args:
        label: (H, W) uint8 train ids; only looked at, and only needed, if the rule's probability is not zero.
        shape: (H, W) of the image.
        rule: The settings.
        priority: Train ids that are looked for first.
        mined: Train ids that are looked for if no priority class can be centred on.
        draws: The random numbers.
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
            raise ValueError('plan_crop: small classes are looked for in a label, but label is None')
        # A crop that is centred on one of these pixels does not leave the image.
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
        plan: The crop.
        border: Value of what lies outside, one for each channel.

    Returns:
        (side, side) or (side, side, C) of the same dtype; a view if the crop lies inside.
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


@TRANSFORMS.register_module()
class SmallClassCrop(BaseTransform):
    """The training crop of CBST (Zou et al., ECCV 2018, "mining"): random scale, small classes in the middle.

    The image is scaled at random, and a square of ``size`` is cut from it: with ``probability`` such that a pixel of a
    small class, one that the last labelling found rarely, lies in its middle, else anywhere. Both domains take
    it, with ground truth and pseudo labels. The original's names are given in brackets.

    Needs ``img`` (H, W, 3) uint8 in BGR order and ``gt_seg_map`` (H, W) uint8 train ids of the same size; without
    mining the label may be absent. Changes both, ``img_shape`` and ``scale_factor``, and adds ``flip`` and
    ``flip_direction``. The label of (size, size) is sampled every ``label_stride`` pixels, from ``label_stride // 2``.

    Args:
        size: Side of the crop in network pixels, rounded up to a multiple of ``stride`` (crop-size).
        stride: Output stride of the network.
        label_stride: 8 for losses at the resolution of the logits, as in the original; 1 for networks whose logits are
            upsampled in training.
        scale_range: Smallest and largest scale of ``origin_size`` (scale-rate-range).
        origin_size: Length that a scale of 1 gives to the longer side of ``max_shape`` (origin-size,
            origin-size-tgt). None: that longer side itself.
        max_shape: (H, W) which images are taken to have, as the original assumes (1024, 2048) for GTA5 and Cityscapes
            and (760, 1280) for SYNTHIA. None: their own size, as in its source training.
        probability: How often a small class is looked for (mine-port); 0 never.
        threshold: Share of all pixels below which a class has priority (mine-thresh).
        number: How many of the smallest classes are looked for if none with priority is there (mine-id-number).
        manifest: Folder of the labelling whose class sizes decide; it is read when the first image comes.
        priority: Train ids with priority, instead of ``manifest``.
        mined: Train ids to look for if none with priority is there, instead of ``manifest``.
        flip: Probability of mirroring.
        border: RGB colour outside the image, as whole numbers (the truncated mean of ImageNet).
        draws: Source of random numbers; NumPy's global generator by default.

    Raises:
        ValueError: If a setting is out of range, or mining is on and it is not said, or said twice, which classes are
            small. When an image is read: if it has no label, or one of another size, although mining is on.
        TypeError: If image or label are not uint8.
        FileNotFoundError: When the first image is read, if the manifest does not exist.
    """

    def __init__(
        self,
        size: int = 500,
        stride: int = 8,
        label_stride: int = 8,
        scale_range: tuple[float, float] = (0.7, 1.3),
        origin_size: int | None = None,
        max_shape: tuple[int, int] | None = None,
        probability: float = 0.5,
        threshold: float = 0.001,
        number: int = 3,
        manifest: str | None = None,
        priority: Iterable[int] | None = None,
        mined: Iterable[int] | None = None,
        flip: float = 0.5,
        border: tuple[int, int, int] = (123, 116, 103),
        draws: Draws | None = None,
    ) -> None:
        if min(size, stride, label_stride) < 1:
            raise ValueError(
                f'size, stride and label_stride must be positive, but got {size}, {stride}, {label_stride}'
            )
        size = -(-size // stride) * stride
        if size % label_stride:
            raise ValueError(
                f'label_stride={label_stride} does not divide the crop of {size} pixels: choose 1 or {stride}'
            )
        if not 0 < scale_range[0] <= scale_range[1]:
            raise ValueError(
                f'scale_range must be (smallest, largest) with 0 < smallest <= largest, but got {scale_range}'
            )
        if not (0 <= probability <= 1 and 0 <= flip <= 1):
            raise ValueError(f'probability and flip must be in [0, 1], but got {probability} and {flip}')
        given = priority is not None or mined is not None
        if probability and given == (manifest is not None):
            raise ValueError(
                'SmallClassCrop must know which classes are small: give manifest=FOLDER (of a labelling), or lists of '
                'train ids priority= and mined=, not both; or probability=0 to crop anywhere'
            )
        smallest, largest = scale_range
        shape = (max_shape[0], max_shape[1]) if max_shape else None
        self.rule = CropRule(size, stride, (smallest, largest), origin_size, shape, probability, flip)
        self.draws: Draws = draws or NumPyDraws()
        self.label_stride, self.threshold, self.number = label_stride, threshold, number
        self.manifest, self.border = manifest, tuple(border)
        self._small = (tuple(priority or ()), tuple(mined or ())) if given or not probability else None

    def small_classes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Train ids with priority, and those that come after them."""
        if self._small is None:
            assert self.manifest is not None
            manifest = Manifest.read(Path(self.manifest))
            # A labelling without thresholds labels every pixel, so that its labels themselves are the sizes.
            sizes = manifest.counts if manifest.sizes is None else manifest.sizes
            priority, mined = mining_classes(np.asarray(sizes), threshold=self.threshold, number=self.number)
            self._small = tuple(map(int, priority)), tuple(map(int, mined))
        return self._small

    def transform(self, results: dict) -> dict:
        """Cut, scale and mirror image and label."""
        image, label = results['img'], results.get('gt_seg_map')
        self._check(results, image, label)
        plan = plan_crop(label, image.shape[:2], self.rule, *self.small_classes(), self.draws)
        size = (self.rule.size, self.rule.size)
        image = pillow_resize(cut(image, plan, self.border[::-1]), size, auto_filter((plan.side,) * 2, size))
        results['img'] = cv2.flip(image, 1) if plan.flip else image
        if label is not None:
            label = pillow_resize(cut(label, plan, IGNORE_INDEX), size, 'nearest')
            sampled = slice(self.label_stride // 2, None, self.label_stride)
            label = np.ascontiguousarray(label[sampled, sampled])
            results['gt_seg_map'] = cv2.flip(label, 1) if plan.flip else label
        results['img_shape'] = size
        results['scale_factor'] = (self.rule.size / plan.side,) * 2
        results['flip'], results['flip_direction'] = plan.flip, 'horizontal' if plan.flip else None
        return results

    def _check(self, results: dict, image: np.ndarray, label: np.ndarray | None) -> None:
        check_image(results, self)
        if label is not None:
            check_label(results, self)
        elif self.rule.probability:
            raise ValueError(
                f'{results.get("img_path")} has no label to look for small classes in: load labels before '
                'SmallClassCrop, or set probability=0'
            )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}({self.rule}, label_stride={self.label_stride}, manifest={self.manifest!r}, '
            f'small classes={self._small})'
        )
