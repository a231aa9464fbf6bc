"""Prediction of single images: the network of a config and a checkpoint as a function."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from mmuda.checkpoints.loading import SEGMENTOR, weights_digest
from mmuda.checks import require
from mmuda.checks.keys import check_component
from mmuda.datasets.image_files import MAX_PIXELS
from mmuda.engine.inference import load_model
from mmuda.engine.launch import check_mirrored_once, load_config
from mmuda.settings import comparable
from mmuda.stages import network_config

from .classes import Classes, classes_of
from .networks import Networks, Scores, to_arrays
from .preparation import Preparation, Prepared
from .sources import ArraySource
from .windows import Band, RowSource, sweep

WHOLE_UP_TO = 2**22
"""Largest number of pixels of an image that is predicted as a whole, if the config does not resize images."""

WINDOW = 1024
ENLARGED_FROM = 2**28
"""Largest number of logits of an image that are enlarged at once, a GiB in float32; more are enlarged by rows."""


@dataclass(frozen=True)
class Options:
    """Options of a prediction.

    Attributes:
        tta: Whether to average over the augmentations of ``tta_pipeline`` of the config, or else over the image and its
            mirror image.
        scales: Factors of the size to average over.
        window: Height and width of windows. Images with a longer side are predicted in windows at their own resolution,
            without the resizing of the config. None uses windows only for images that are too large otherwise.
        overlap: Number of pixels in which neighbouring windows overlap; None is an eighth of the window.
        window_scale: Factor by which windows are resized for the network.
        whole_up_to: Largest number of pixels of an image that is predicted as a whole, if the config does not resize
            images.
        max_pixels: Largest number of pixels of an image file; None allows any.
        batch_size: Number of images or windows that are predicted together.
    """

    tta: bool = False
    scales: tuple[float, ...] | None = None
    window: int | None = None
    overlap: int | None = None
    window_scale: float = 1.0
    whole_up_to: int = WHOLE_UP_TO
    max_pixels: int | None = MAX_PIXELS
    batch_size: int = 1


@dataclass(frozen=True)
class Prediction:
    """The prediction for an image.

    Attributes:
        label: Train ids, (H, W) uint8.
        confidence: Probability of the predicted class, (H, W) float32.
        classes: Names and colours of the train ids.
    """

    label: np.ndarray
    confidence: np.ndarray
    classes: Classes


class Predictor:
    """A trained network that segments images. Call it with a path or an array.

    The test pipeline of the config prepares an image, so the result is the same as that of ``tools/test.py``.

    Args:
        cfg: Config of the network: of mmuda, the config beside published weights, or a config of plain mmseg.
        checkpoints: Checkpoints of the network. The probabilities of several are averaged.
        options: Options of the prediction.
        child: Name of the network in the checkpoint of an adaptor, such as ``'teacher'``.

    Raises:
        RuntimeError: If weights do not fit the config.
        ValueError: If options contradict the config, or each other.
    """

    def __init__(
        self, cfg: Config, checkpoints: Sequence[str | Path], options: Options | None = None, child: str = SEGMENTOR
    ) -> None:
        self.options = options = options or Options()
        if options.tta:
            check_mirrored_once(cfg.model)
        self.window = options.window or _own_window(cfg) or WINDOW
        self.overlap = self.window // 8 if options.overlap is None else options.overlap
        if self.window < 1 or not 0 <= self.overlap <= self.window // 4 or options.batch_size < 1:
            raise ValueError(
                f'window={self.window}, overlap={self.overlap}, batch_size={options.batch_size}: a window and a batch '
                'hold at least one, and windows overlap in at most a quarter'
            )
        self.preparation = Preparation(cfg, options.tta, options.scales, options.window_scale, options.max_pixels)
        models: list[Any] = [load_model(cfg, checkpoint, child=child) for checkpoint in checkpoints]
        self.networks = Networks(models)
        self.classes = classes_of(models[0], cfg)
        self._network = dict(model=cfg.model.get(SEGMENTOR, cfg.model), normalised=cfg.model.get('data_preprocessor'))

    def settings(self) -> dict[str, Any]:
        """Return the settings that decide the results, as plain values: networks, weights, preparation and options."""
        states = [getattr(model, SEGMENTOR, model).state_dict() for model in self.networks.models]
        return dict(
            network=comparable(self._network),
            weights=[weights_digest(dict(state_dict=state), 'the network') for state in states],
            classes=list(self.classes.names),
            preparation=comparable(self.preparation.settings),
            window=self.options.window,
            windows=[self.window, self.overlap],
            whole_up_to=self.options.whole_up_to,
        )

    def __call__(self, image: str | Path | np.ndarray) -> Prediction:
        """Segment an image.

        Args:
            image: A file, or an array (H, W, 3) uint8 in BGR order, as in OpenCV and mmseg's inferencer.

        Raises:
            FileNotFoundError: If there is no such file.
            OSError: If the file is not an image.
            ValueError: If the file has more than ``max_pixels`` pixels.
            TypeError: If an array does not have three dimensions, or is empty.
        """
        if isinstance(image, np.ndarray):
            bands = list(self.bands(_checked(image), confidence=True))
        else:
            bands = list(self.bands(self.open(os.fspath(image)), os.fspath(image), confidence=True))
        sure = [band.confidence for band in bands if band.confidence is not None]
        return Prediction(np.concatenate([band.label for band in bands]), np.concatenate(sure), self.classes)

    def open(self, path: str) -> np.ndarray | RowSource:
        """Return an image as an array, or, if it is predicted in windows and its format allows it, as a source of rows.

        Raises:
            FileNotFoundError: If there is no such file.
            OSError: If the file is not an image.
            ValueError: If an image that must be read as a whole has more than ``max_pixels`` pixels.
        """
        source = self.preparation.open(path)
        if source is not None and self.in_windows(source.size):
            return source
        return self.preparation.read(path)

    def in_windows(self, size: tuple[int, int]) -> bool:
        """Return whether an image of a size (H, W) is predicted in windows."""
        if self.options.window is not None:
            return max(size) > self.window
        return not self.preparation.resizes and size[0] * size[1] > self.options.whole_up_to

    def bands(self, image: np.ndarray | RowSource, path: str | None = None, confidence: bool = False) -> Iterator[Band]:
        """Yield the prediction for an image as bands of rows, from the top.

        Args:
            image: Result of :meth:`open`, or an array (H, W, 3) uint8 in BGR order.
            path: File of the image; None for an array.
            confidence: Whether bands have the confidence as well.
        """
        source: RowSource = ArraySource(image) if isinstance(image, np.ndarray) else image
        if not self.in_windows(source.size):
            (found,) = self.whole([self.prepare(source.rows(0, source.size[0]), path, keep_picture=True)], confidence)
            yield from found
            return
        yield from sweep(
            source,
            self.window,
            self.overlap,
            self._windows,
            lambda probs: to_arrays(*self.networks.decide_probabilities(probs, confidence)),
            self.options.batch_size,
        )

    def prepare(self, image: np.ndarray, path: str | None = None, keep_picture: bool = False) -> Prepared:
        """Return an image that is predicted as a whole as the input of the network. The network is not run.

        If its logits would take too much memory at the size of the image, ``ori_shape`` is set to the size of the
        network's input, so that the network returns logits of that size.

        Args:
            image: (H, W, 3) in BGR order.
            path: File of the image; None for an array.
            keep_picture: Whether the result keeps the image.
        """
        found = self.preparation.whole(image, path, keep_picture)
        if self._too_large(found.size):
            height, width = (max(sample.img_shape[axis] for sample in found.data_samples) for axis in (0, 1))
            for sample in found.data_samples:
                sample.set_metainfo(dict(ori_shape=(height, width)))
        return found

    def whole(self, images: Sequence[Prepared], confidence: bool = False) -> list[list[Band]]:
        """Return the predictions for images that are predicted as a whole, each as a list of bands.

        The list has more than one band only if the logits are too large for the memory at the size of the image.

        Args:
            images: Results of :meth:`prepare`.
            confidence: Whether bands have the confidence as well.
        """
        return [
            self._bands_of(scores, image, confidence)
            for scores, image in zip(self.networks.scores(images), images, strict=True)
        ]

    def _bands_of(self, scores: Scores, image: Prepared, confidence: bool) -> list[Band]:
        if self._too_large(image.size):
            parts = self.networks.enlarged(scores, image.size, confidence)
        else:
            parts = [to_arrays(*self.networks.decide(scores, confidence))]
        bands, top = [], 0
        for label, sure in parts:
            picture = np.empty(0) if image.picture is None else image.picture[top : top + len(label)]
            bands.append(Band(top, label, sure, picture))
            top += len(label)
        return bands

    def _too_large(self, size: tuple[int, int]) -> bool:
        return self.networks.out_channels * size[0] * size[1] > ENLARGED_FROM

    def _windows(self, windows: Sequence[np.ndarray]) -> list[Tensor]:
        """Return the probabilities (C, h, w) of windows (h, w, 3)."""
        scores = self.networks.scores([self.preparation.window(window) for window in windows])
        return [self.networks.probabilities(one.logits) for one in scores]


def predict(
    config: str | Path | Config,
    checkpoint: str | Path | Sequence[str | Path],
    child: str = SEGMENTOR,
    stage: str | None = None,
    **options: Any,
) -> Predictor:
    """Return the network of a config and a checkpoint as a function: ``predict(config, checkpoint)(image).label``.

    Args:
        config: A config or its file: of mmuda, the config beside published weights, or a config of plain mmseg.
        checkpoint: One or several checkpoints. The probabilities of several are averaged.
        child: Name of the network in the checkpoint of an adaptor, such as ``'teacher'``.
        stage: For a config with stages, the stage whose network it is; by default the last training.
        **options: Attributes of :class:`Options`, such as ``tta=True`` or ``window=1024``.

    Raises:
        ConfigError: If the config names components that do not exist.
        RuntimeError: If the weights do not fit the config.
    """
    whole = config if isinstance(config, Config) else load_config(config)
    cfg = network_config(whole, stage)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    require(cfg, list(check_component('model', cfg.get('model'), 'model')))
    checkpoints = [checkpoint] if isinstance(checkpoint, (str, Path)) else checkpoint
    return Predictor(cfg, checkpoints, Options(**options), child)


def _own_window(cfg: Config) -> int | None:
    """Return the size of the sliding windows in the config of a network; None if it has none."""
    test_cfg = (cfg.model.get('segmentor') or cfg.model).get('test_cfg') or {}
    size = test_cfg.get('crop_size') if test_cfg.get('mode') == 'slide' else None
    return size and int(max(size))


def _checked(image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or not image.size:
        raise TypeError(
            f'an image is an array (H, W, 3) in BGR order, or the path of a file, not an array of shape {image.shape}'
        )
    return image
