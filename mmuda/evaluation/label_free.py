"""LabelFreeMetric: scores of predictions on the target that need no labels."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.structures import BaseDataElement
from mmseg.registry import METRICS
from torch import Tensor

from mmuda.constants import LABEL_FREE_PREFIX

from .image_counts import ImageCounts
from .prediction_statistics import fixed_points, neighbourhood_density, prediction_statistics

Predictor = Callable[[Any, Sequence[Mapping[str, Any]]], Sequence[Tensor]]
"""Function that returns a second network's classes (H, W) for each image, see :attr:`LabelFreeMetric.teacher`."""

UNIT = 2.0**-20
"""Unit of the integer sums. Integers make sums independent of the order of the images and the number of processes."""

PIXELS, ENTROPY, DENSITY, AGREEING, COMPARED, BROKEN = range(6)
HEAD = 6
"""Number of these entries at the start of the array of sums.

They are followed by the C sums of class probabilities and the C numbers of predicted pixels.
"""


@METRICS.register_module()
class LabelFreeMetric(BaseMetric):
    r"""Scores of predictions that need no labels of the target.

    - ``entropy`` (less is better): the mean entropy of the pixels, divided by log C.
    - ``IM`` (greater is better), information maximisation: the entropy of the mean prediction minus the mean entropy,
      divided by log C (Krause et al., NeurIPS 2010; a validator in Musgrave et al., 2022). It is large if the pixels
      are confident and the classes are many.
    - ``SND`` (greater is better), soft neighbourhood density: the mean over images of :func:`neighbourhood_density` at
      ``points`` pixels, in nats (Saito et al., ICCV 2021).
    - ``class_shift`` (less is better): half the sum over classes of the absolute difference between their share of the
      predicted pixels and their share of the source labels, in [0, 1]. Only with :attr:`source_shares`.
    - ``agreement`` (greater is better): the percentage of pixels for which segmentor and teacher predict the same
      class. Only with :attr:`teacher`.
    - ``share/<class>``: the percentage of pixels that are predicted as the class.

    Keys begin with ``label_free/``. All sums are integers on the device of the predictions; their size does not depend
    on the number of images. With an equal number of threads, 1 and N processes give equal results. If a prediction is
    not finite, entropy, IM and SND are NaN; the other scores are not affected.

    Args:
        points: Number of pixels of each image for SND, at the same positions in every image. Memory is quadratic in it.
        temperature: Temperature of SND.
        collect_device: As in mmengine; only counts are collected.
        prefix: Prefix of each key of the results, ``label_free`` by default.

    Raises:
        ValueError: If an option is out of range. In an evaluation, if a sample has no logits of two or more classes.
    """

    default_prefix = LABEL_FREE_PREFIX

    def __init__(
        self, points: int = 256, temperature: float = 0.05, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if points < 2 or temperature <= 0:
            raise ValueError(
                f'LabelFreeMetric: points={points} and temperature={temperature}, expected at least 2 and above 0'
            )
        self.points, self.temperature = points, temperature
        self.source_shares: np.ndarray | None = None
        """Share of each class in the source labels, (C,), with sum 1; None without source labels."""
        self.teacher: Predictor | None = None
        """Function of the batch and its samples that returns a second network's classes (H, W) for each image."""
        self._counts = ImageCounts()

    def process(self, data_batch: Any, data_samples: Sequence[dict | BaseDataElement]) -> None:
        """Add the sums of one batch.

        Args:
            data_batch: Argument of the teacher.
            data_samples: Each with ``seg_logits`` (C, H, W). The predicted classes are ``pred_sem_seg`` (1, H, W) if a
                sample has it, otherwise the argmax of the logits.

        Raises:
            ValueError: If a sample has no such logits.
        """
        if not data_samples:
            return
        samples = [sample.to_dict() if isinstance(sample, BaseDataElement) else sample for sample in data_samples]
        logits = [_logits(sample) for sample in samples]
        others = [None] * len(logits) if self.teacher is None else self.teacher(data_batch, samples)
        predicted = [_classes(sample, values) for sample, values in zip(samples, logits, strict=True)]
        sums = [self._sums(*image) for image in zip(logits, predicted, others, strict=True)]
        self._counts.add(torch.stack(sums))

    def _sums(self, logits: Tensor, predicted: Tensor, other: Tensor | None) -> Tensor:
        """Return the sums of one image, (HEAD + 2 C,) int64, in multiples of UNIT or in pixels."""
        num_classes, height, width = logits.shape
        sums = prediction_statistics(logits)
        places = fixed_points(height, width, self.points, logits.device)
        seen = logits.flatten(1)[:, places].float().softmax(dim=0)
        density = neighbourhood_density(seen.T, self.temperature)
        agreeing = predicted.new_zeros(()) if other is None else (predicted == other.to(predicted.device)).sum()
        known = (sums.entropy.isfinite() & density.isfinite()).to(torch.int64)
        head = torch.stack(
            [
                torch.full_like(known, predicted.numel()),
                _units(sums.entropy),
                _units(density),
                agreeing,
                torch.full_like(known, 0 if other is None else predicted.numel()),
                1 - known,
            ]
        )
        return torch.cat([head, _units(sums.probabilities), torch.bincount(predicted.flatten(), minlength=num_classes)])

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the results of the whole data set, equal in every process, and reset the state.

        Args:
            size: Number of images of the data set.

        Raises:
            ValueError: If there was no image, or more than `size`.
        """
        num_classes = len((self.dataset_meta or {}).get('classes', ()))
        sums, num_images = self._counts.collect(size, (HEAD + 2 * num_classes,))
        self._counts = ImageCounts()
        results = self.compute_metrics([(sums, num_images)])
        return {f'{self.prefix}/{key}': value for key, value in results.items()} if self.prefix else results

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Return the scores that the class lists.

        Args:
            results: One pair of the sums over all images and the number of images.
        """
        ((sums, num_images),) = results
        head, classes = sums[:HEAD], sums[HEAD:].reshape(2, -1)
        full = math.log(classes.shape[1])
        pixels = int(head[PIXELS])
        mean = classes[0] * UNIT / pixels
        entropy = head[ENTROPY] * UNIT / pixels / full
        of_mean = -float(np.sum(mean * np.log(np.where(mean > 0, mean, 1)))) / full
        shares = classes[1] / pixels
        scores = dict(entropy=entropy, IM=of_mean - entropy, SND=head[DENSITY] * UNIT / num_images)
        if head[BROKEN]:
            scores = dict.fromkeys(scores, math.nan)
        if self.source_shares is not None:
            scores['class_shift'] = np.abs(shares - self.source_shares).sum() / 2
        if head[COMPARED]:
            scores['agreement'] = 100 * head[AGREEING] / head[COMPARED]
        names = (self.dataset_meta or {}).get('classes') or range(len(shares))
        scores |= {f'share/{name}': 100 * share for name, share in zip(names, shares, strict=True)}
        return {name: float(value) for name, value in scores.items()}


def _units(values: Tensor) -> Tensor:
    """Return values as integers in multiples of UNIT, int64; 0 for a value that is not finite."""
    return torch.nan_to_num(values.double() / UNIT, nan=0, posinf=0, neginf=0).round().to(torch.int64)


def _classes(sample: Mapping[str, Any], logits: Tensor) -> Tensor:
    """Return the predicted classes (H, W) of a sample; the argmax of the logits if it has none."""
    field = sample.get('pred_sem_seg')
    values = field['data'] if isinstance(field, Mapping) else getattr(field, 'data', None)
    return logits.argmax(dim=0) if values is None else values[0]


def _logits(sample: Mapping[str, Any]) -> Tensor:
    """Return the logits (C, H, W) of a sample."""
    field = sample.get('seg_logits')
    values = field['data'] if isinstance(field, Mapping) else getattr(field, 'data', None)
    if values is None or values.dim() != 3 or len(values) < 2:
        found = 'none' if values is None else f'of the shape {tuple(values.shape)}'
        raise ValueError(
            f'image {sample.get("img_path")}: scores without labels need seg_logits (C, H, W) of two or more classes, '
            f'but there are {found}; switch these scores off with default_hooks.label_free=None'
        )
    return values
