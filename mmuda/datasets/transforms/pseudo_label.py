"""Loading of pseudo labels."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmuda.constants import IGNORE_INDEX

from ..image_files import MAX_PIXELS, read_image_bytes
from ..image_windows import WINDOW
from ..label_files import decode_label
from ..label_tables import ranges
from .pillow_resize import pillow_resize


@TRANSFORMS.register_module()
class LoadPseudoLabel(BaseTransform):
    """A transform that loads a pseudo label: an 8-bit PNG file of train ids, which are not mapped. 255 is ignored.

    No label table and no ``label_map`` is applied. The ids are those of the classes with which the labels were made;
    :class:`~mmuda.datasets.PseudoLabelDataset` compares these classes with those of training.

    Needs ``seg_map_path`` and, normally, ``num_classes``. Adds ``gt_seg_map`` (H, W) uint8, and its name to
    ``seg_fields``.

    Args:
        resize: False expects a label of the size of the image file, and must come before steps that resize. True scales
            the label to the present size of ``img`` by Pillow's nearest neighbour, as IntraDA does with labels of the
            size of the network's input.
        num_classes: Number of classes, for data sets that do not set it in their samples.
        backend_args: Arguments of mmengine's file backend.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it is truncated, damaged or not an image.
        ValueError: If it is not an 8-bit single-channel file, has an id that is not a class, or differs in size from
            its image. Also if the image has no label, or the number of classes is not known.
    """

    def __init__(self, resize: bool = False, num_classes: int | None = None, backend_args: dict | None = None) -> None:
        self.resize = resize
        self.num_classes = num_classes
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Load ``results['seg_map_path']``."""
        path = results.get('seg_map_path')
        if path is None:
            raise ValueError(
                f'no pseudo label belongs to {results.get("img_path")}: use LoadPseudoLabel with a '
                'PseudoLabelDataset, or remove it from the pipeline'
            )
        data = read_image_bytes(path, self.backend_args, results.get('max_pixels', MAX_PIXELS))
        label = decode_label(data, path)
        if label.dtype != np.uint8:
            raise ValueError(
                f'{path} is a 16-bit file, but pseudo labels are 8-bit PNG files of train ids: this is no '
                'pseudo label; make them with tools/pseudo_label.py'
            )
        self._check_ids(results, label, path)
        results['gt_seg_map'] = self._fit(results, label, path)
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def _check_ids(self, results: dict, label: np.ndarray, path: str) -> None:
        num_classes = results.get('num_classes') or self.num_classes
        if num_classes is None:
            raise ValueError(
                f'{path}: the number of classes is not in the sample: use a PseudoLabelDataset, '
                "or dict(type='LoadPseudoLabel', num_classes=...)"
            )
        wrong = (label >= num_classes) & (label != IGNORE_INDEX)
        if wrong.any():
            raise ValueError(
                f'{path} holds the ids {ranges(np.unique(label[wrong]).tolist())}, but a pseudo label holds train ids '
                f'0-{num_classes - 1} and {IGNORE_INDEX} (ignored): raw ids need LoadDomainAnnotations; if the classes '
                'have changed, make the labels again'
            )

    def _fit(self, results: dict, label: np.ndarray, path: str) -> np.ndarray:
        image = results.get('img')
        if not self.resize:
            sizes = {tuple(results['ori_shape'][:2])} if 'ori_shape' in results else set()
            window = results.get(WINDOW)
            sizes |= {image.shape[:2]} if image is not None and window is None else set()
            if sizes - {label.shape}:
                told = ' and '.join(f'{width}x{height}' for height, width in sorted(sizes))
                raise ValueError(
                    f'{path} is {label.shape[1]}x{label.shape[0]} (width x height), but its image '
                    f'{results.get("img_path")} is {told}: put LoadPseudoLabel before the step that resizes the image, '
                    'or, if the label was made at another size, after it with resize=True'
                )
            return label if window is None else np.ascontiguousarray(window.of(label))
        if image is None:
            raise ValueError(
                f'{path}: with resize=True, put LoadPseudoLabel after the steps that load and resize the image'
            )
        if results.get('flip'):
            raise ValueError(
                f'{path}: the image is mirrored already, its label would not be: put LoadPseudoLabel before RandomFlip'
            )
        return pillow_resize(label, image.shape[1::-1], 'nearest')

    def __repr__(self) -> str:
        return f'{type(self).__name__}(resize={self.resize}, num_classes={self.num_classes})'
