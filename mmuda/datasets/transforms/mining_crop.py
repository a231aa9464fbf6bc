"""CBST's training crop: a random scale, and a crop that is often centred on a small class."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmuda.constants import IGNORE_INDEX
from mmuda.labeling import Manifest, mining_classes
from mmuda.resampling import auto_filter

from .checks import check_image, check_label
from .crop_plan import CropRule, cut, plan_crop
from .draws import Draws, NumPyDraws
from .pillow_resize import pillow_resize


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
