"""Preparation of an image for a network: the test pipeline of the config, without steps for labels."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmcv.transforms import Compose
from mmengine.config import Config
from mmseg.registry import TRANSFORMS

from mmuda.datasets.image_files import MAX_PIXELS, header_at, image_size, pixels_of
from mmuda.datasets.transforms import LoadDomainImage
from mmuda.engine.launch import mirrored_pipeline

from .sources import FileSource

READERS = ('LoadImageFromFile', 'LoadDomainImage')
"""Steps that read a file in the same way. The second one names the file in its errors."""


@dataclass
class Prepared:
    """An image as the input of a network, once for each augmentation.

    Attributes:
        inputs: Images (3, H, W), not normalised, one for each augmentation.
        data_samples: Their meta information.
        size: (H, W) of the image itself.
        picture: The image as it was read, (H, W, 3) in BGR order or (H, W); None unless it is kept.
    """

    inputs: list
    data_samples: list
    size: tuple[int, int]
    picture: np.ndarray | None = None


class Preparation:
    """The test pipeline of a config for single images: files, arrays and windows of large images.

    Args:
        cfg: Config of the network, of mmuda or of plain mmseg.
        tta: Whether to use test-time augmentation: the ``tta_pipeline`` of the config, or else mirrored images.
        scales: Factors of the size for test-time augmentation, instead of ``tta_pipeline``. With ``tta``, each size is
            also mirrored.
        window_scale: Factor by which windows of large images are resized.
        max_pixels: Largest number of pixels of a file; None allows any.

    Attributes:
        resizes: Whether the pipeline resizes images to a size in the config.
        settings: The settings that decide how an image is prepared, as plain values.

    Raises:
        KeyError: If the config has no test pipeline.
        ValueError: If the pipeline does not begin with reading an image, or a scale is not positive.
    """

    def __init__(
        self,
        cfg: Config,
        tta: bool = False,
        scales: Sequence[float] | None = None,
        window_scale: float = 1.0,
        max_pixels: int | None = MAX_PIXELS,
    ) -> None:
        if min([*(scales or ()), window_scale]) <= 0:
            raise ValueError(f'factors of the size are positive numbers, not {[*(scales or ()), window_scale]}')
        pipeline = without_labels(test_pipeline(cfg))
        if not _name(pipeline[0]).startswith('Load'):
            raise ValueError(f'the test pipeline begins with {_name(pipeline[0])}: expected a step that reads an image')
        if tta and not scales and cfg.get('tta_pipeline') is not None:
            pipeline = without_labels(cfg.tta_pipeline)
        elif tta or scales:
            pipeline = mirrored_pipeline(pipeline, scales or (1.0,), mirror=tta)
        load, *steps = pipeline
        if _name(load) == READERS[0]:
            load = dict(load, type=READERS[1])
        self.resizes = any(map(_has_own_size, steps))
        self.max_pixels = max_pixels
        resize = [] if window_scale == 1 else [dict(type='Resize', scale_factor=window_scale)]
        self.settings = dict(load=load, steps=steps, window_scale=window_scale)
        self._load = TRANSFORMS.build(copy.deepcopy(load))
        self._take = TRANSFORMS.build(
            dict(type='LoadImageFromNDArray', to_float32=bool(getattr(self._load, 'to_float32', False)))
        )
        self._steps = _compose(steps)
        self._window_steps = _compose([*resize, *_less(steps, _has_own_size)])

    def open(self, path: str) -> FileSource | None:
        """Return an image whose rows can be read a few at a time; None if its file must be read as a whole.

        Raises:
            OSError: If the file cannot be read.
        """
        reader = self._load.open(path) if isinstance(self._load, LoadDomainImage) else None
        return None if reader is None else FileSource(self._load, reader, path)

    def read(self, path: str) -> np.ndarray:
        """Return an image (H, W, 3) in BGR order, read by the first step of the pipeline.

        Raises:
            FileNotFoundError: If there is no such file.
            OSError: If the file is damaged or not an image.
            ValueError: If it has more than ``max_pixels`` pixels.
        """
        (height, width), planes = header_size(path), header_planes(path)
        pixels = pixels_of((width, height), planes)
        if self.max_pixels is not None and pixels > self.max_pixels:
            size = f'{width}x{height}x{planes} values, as many as' if planes > 3 else f'{width}x{height} ='
            raise ValueError(
                f'{path} has {size} {pixels:,} pixels, more than max_pixels={self.max_pixels:,}: '
                'such a file may take all memory when it is decoded. If it is meant to be so large, allow more '
                '(max_pixels; --max-megapixels of tools/predict.py)'
            )
        return self._load(dict(img_path=path, max_pixels=None))['img']

    def whole(self, image: np.ndarray, path: str | None = None, keep_picture: bool = False) -> Prepared:
        """Return an image as the test pipeline prepares it.

        Args:
            image: (H, W, 3) in BGR order.
            path: File of the image; None for an array.
            keep_picture: Whether the result keeps the image.
        """
        return self._run(self._steps, image, path, keep_picture)

    def window(self, image: np.ndarray) -> Prepared:
        """Return a window of an image as the test pipeline prepares it, without the steps that resize images.

        The window is resized by ``window_scale`` instead.

        Args:
            image: (h, w, 3) in BGR order.
        """
        return self._run(self._window_steps, image)

    def _run(self, steps: Compose, image: np.ndarray, path: str | None = None, keep: bool = False) -> Prepared:
        results = self._take(dict(img=image))
        results.update(img_path=path, seg_fields=[])
        packed = steps(results)
        inputs, samples = packed['inputs'], packed['data_samples']
        if not isinstance(inputs, list):
            inputs, samples = [inputs], [samples]
        # A step that works in place would change the picture. No test-time step of mmcv and mmseg does.
        return Prepared(inputs, samples, image.shape[:2], image if keep else None)


def header_size(path: str) -> tuple[int, int]:
    """Return (height, width) from the header of a file; (0, 0) if the header cannot be read."""
    try:
        width, height = image_size(path)
    except (OSError, ValueError, SyntaxError):
        return 0, 0
    return height, width


def header_planes(path: str) -> int:
    """Return the number of bands, pages or slices that are decoded with an image; 1 if it is not known."""
    try:
        return header_at(path).planes
    except (OSError, ValueError, SyntaxError):
        return 1


def test_pipeline(cfg: Config) -> list[dict]:
    """Return the steps of the test images of a config.

    Raises:
        KeyError: If there are none.
    """
    steps = _pipeline_of((cfg.get('test_dataloader') or {}).get('dataset')) or cfg.get('test_pipeline')
    if not steps:
        raise KeyError(
            f'{cfg.filename} has no test_dataloader.dataset.pipeline and no test_pipeline: one of them must prepare '
            'images for the network'
        )
    return list(steps)


def without_labels(steps: Sequence[Any]) -> list[Any]:
    """Return the steps of a pipeline that do not load labels, also inside of ``TestTimeAug``."""
    return _less(steps, lambda step: 'Annotation' in _name(step))


def _less(steps: Sequence[Any], unwanted: Callable[[Any], bool]) -> list[Any]:
    """Return the steps of a pipeline without unwanted ones, also inside of ``TestTimeAug``."""
    kept: list[Any] = []
    for step in steps:
        if _name(step) == 'TestTimeAug':
            branches = [_less(branch, unwanted) for branch in step['transforms']]
            kept.append(dict(step, transforms=[branch for branch in branches if branch]))
        elif not unwanted(step):
            kept.append(step)
    return kept


def _pipeline_of(dataset: Any) -> list | None:
    """Return the pipeline of a data set, or of the first one in it."""
    if not isinstance(dataset, Mapping):
        return None
    if dataset.get('pipeline'):
        return dataset['pipeline']
    inner = dataset.get('dataset') or next(iter(dataset.get('datasets') or ()), None)
    return _pipeline_of(inner)


def _has_own_size(step: Any) -> bool:
    """Return whether a step resizes every image to a size in the config."""
    if _name(step) == 'TestTimeAug':
        return any(_has_own_size(one) for branch in step['transforms'] for one in branch)
    known = _name(step).startswith('Resize') and _name(step) != 'ResizeToMultiple'
    return known and step.get('scale_factor') is None


def _compose(steps: Sequence[Any]) -> Compose:
    return Compose([TRANSFORMS.build(copy.deepcopy(step)) for step in steps])


def _name(step: Any) -> str:
    """Return the name of the class of a step. Its ``type`` can be a class, or a name with a scope or module."""
    kind = step['type']
    return (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]
