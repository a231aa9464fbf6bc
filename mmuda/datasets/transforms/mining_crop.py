"""CBST's training crop: a random scale, and a crop that is often centred on a small class."""

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


@TRANSFORMS.register_module()
class SmallClassCrop(BaseTransform):
    """Training crop of CBST (Zou et al., ECCV 2018): a random scale, and often a small class in the centre ("mining").

    The image is scaled at random, and a square of ``size`` is cut from it. With ``probability``, the crop is centred on
    a pixel of a small class, which is a class with few pixels in the last labelling; otherwise it is anywhere. It is
    used for both domains, with ground truth and with pseudo labels. Names in brackets are options of the original code.

    Needs ``img`` (H, W, 3) uint8 in BGR order and ``gt_seg_map`` (H, W) uint8 train ids of the same size; with
    ``probability=0`` the label can be absent. Changes both, ``img_shape`` and ``scale_factor``, and adds ``flip`` and
    ``flip_direction``. The label of (size, size) is sampled every ``label_stride`` pixels, from ``label_stride // 2``.

    Args:
        size: Side of the crop after scaling, in pixels, rounded up to a multiple of ``stride`` (crop-size).
        stride: Output stride of the network.
        label_stride: 8 for losses at the resolution of the logits, as in the original; 1 for networks whose logits are
            upsampled in training.
        scale_range: Smallest and largest scale of ``origin_size`` (scale-rate-range).
        origin_size: Length of the longer side of ``max_shape`` at a scale of 1, in pixels (origin-size,
            origin-size-tgt). None takes this longer side itself.
        max_shape: (H, W) that images are assumed to have: in the original code (1024, 2048) for GTA5 and Cityscapes and
            (760, 1280) for SYNTHIA. None takes the size of each image, as in the original's source training.
        probability: Probability that a small class is searched for (mine-port).
        threshold: Share of all pixels below which a class has priority (mine-thresh).
        number: Number of the smallest classes that are searched for if no class with priority is in the image
            (mine-id-number).
        manifest: Folder of the labelling whose class sizes decide. It is read when the first image is loaded.
        priority: Train ids with priority, instead of ``manifest``.
        mined: Train ids that are searched for if no class with priority is in the image, instead of ``manifest``.
        flip: Probability of mirroring.
        border: RGB colour outside of the image, as integers (the truncated mean of ImageNet).
        draws: Source of random numbers; NumPy's global generator by default.

    Raises:
        ValueError: If a setting is out of range, or ``probability`` is above 0 and the small classes are not given, or
            given twice. For an image: if it has no label although ``probability`` is above 0, or one of another size.
        TypeError: For an image: if the image or the label is not uint8.
        FileNotFoundError: For the first image: if the manifest does not exist.
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
                'SmallClassCrop needs the small classes: set either manifest (the folder of a labelling), or priority '
                'and mined (lists of train ids), not both; or set probability=0 to crop anywhere'
            )
        smallest, largest = scale_range
        shape = (max_shape[0], max_shape[1]) if max_shape else None
        self.rule = CropRule(size, stride, (smallest, largest), origin_size, shape, probability, flip)
        self.draws: Draws = draws or NumPyDraws()
        self.label_stride, self.threshold, self.number = label_stride, threshold, number
        self.manifest, self.border = manifest, tuple(border)
        self._small = (tuple(priority or ()), tuple(mined or ())) if given or not probability else None

    def small_classes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the train ids with priority, and the train ids that are searched for if none of them is present."""
        if self._small is None:
            assert self.manifest is not None
            manifest = Manifest.read(Path(self.manifest))
            # A labelling without thresholds labels every pixel. Its numbers of labelled pixels are then the sizes.
            sizes = manifest.counts if manifest.sizes is None else manifest.sizes
            priority, mined = mining_classes(np.asarray(sizes), threshold=self.threshold, number=self.number)
            self._small = tuple(map(int, priority)), tuple(map(int, mined))
        return self._small

    def transform(self, results: dict) -> dict:
        """Crop, scale and mirror the image and the label."""
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
