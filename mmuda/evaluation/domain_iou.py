"""DomainIoUMetric: per-class scores under the class protocols of the domain adaptation papers."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from mmseg.registry import METRICS
from torch import Tensor

from mmuda.constants import IGNORE_INDEX
from mmuda.files import write_atomically, write_json
from mmuda.label_png import label_png

from .confusion import MEASURES, class_measures, mean, pair_counts
from .image_counts import ImageCounts
from .paper import PaperFigures, paper_figures
from .protocols import ProtocolSpec, measure_name, resolve_protocols
from .table import results_table


@METRICS.register_module()
class DomainIoUMetric(BaseMetric):
    """IoU, Dice and F-score of each class, averaged over the classes of each protocol.

    A protocol is a named set of classes over which a mean is taken. ``hist[i, j]`` counts the pixels with label i and
    prediction j. Pixels whose label is ``ignore_index`` or outside the class list are not counted. For class c,
    ``IoU_c = hist[c, c] / (row_c + column_c - hist[c, c])`` over all images. A protocol restricts only the *mean* to
    its classes. Predictions stay those among all classes: a pixel that is predicted as a class outside the protocol
    still counts as an error of its class inside, as in the papers.

    The state is one (C + 2, C + 2) int64 matrix on the device of the predictions, independent of the number of images.
    With several processes the matrices are summed. Samples that mmengine's sampler repeats to fill its last round are
    left out, so that 1 and N processes give equal results.

    Results, in percent: ``mIoU`` (all classes) and one entry for each protocol, ``aAcc``, ``mAcc``; ``mDice``;
    ``mFscore``, ``mPrecision``, ``mRecall``; these means for the other protocols (``mDice16``); and ``IoU/<class>``
    (``Dice/<class>``, ``Fscore/<class>``), which is NaN for a class with neither label nor prediction unless
    ``absent`` is ``'zero'``.

    Args:
        iou_metrics: One or several of 'mIoU', 'mDice', 'mFscore'.
        protocols: Names of built-in protocols ('mIoU', 'mIoU16', 'mIoU13', 'synth2camvid10'), a dict
            {name: class names} of own protocols, or a sequence of both. Classes are found by name.
        ignore_index: Label that is not evaluated.
        absent: Treatment of a class with neither label nor prediction (0/0): 'ignore' leaves it out of the means,
            'zero' counts it as 0.
        paper: Published IoU percentages for an extra column: dict(name=..., per_class={class: IoU} or a list in the
            class order of the data set or of the protocol named by `order`, mIoU=..., mIoU16=...).
        json_file: File for all results and the confusion matrix. Each evaluation overwrites it.
        output_dir: Folder for the predictions, `<image name>.png`: 8-bit, pixel value = index in the data set's
            class list, coloured with its palette. Images need different names.
        collect_device: As in mmengine; only counts are collected.
        prefix: Prefix of each key of the results.

    Raises:
        ValueError: If an option is wrong. At the start of an evaluation, if a protocol or the figures of the paper do
            not fit the classes of the data set. In an evaluation, if an image has a prediction outside the class list
            (anywhere, also where the label is ignored), or if prediction and label differ in size.
    """

    def __init__(
        self,
        iou_metrics: str | Sequence[str] = ('mIoU',),
        protocols: ProtocolSpec = ('mIoU',),
        ignore_index: int = IGNORE_INDEX,
        absent: str = 'ignore',
        paper: Mapping[str, Any] | None = None,
        json_file: str | None = None,
        output_dir: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.iou_metrics = [iou_metrics] if isinstance(iou_metrics, str) else list(iou_metrics)
        if not self.iou_metrics or not set(self.iou_metrics) <= set(MEASURES):
            raise ValueError(f'iou_metrics={self.iou_metrics}, expected one or several of {list(MEASURES)}')
        if absent not in ('ignore', 'zero'):
            raise ValueError(f"absent={absent!r}, expected 'ignore' or 'zero'")
        self.ignore_index = ignore_index
        self.absent = absent
        self.json_file = json_file
        self.output_dir = output_dir
        self._wanted = (protocols, paper)
        self.protocols: dict[str, list[int]] = {}
        self.paper: PaperFigures | None = None
        self._counts = ImageCounts()

    @property
    def dataset_meta(self) -> dict | None:
        """Classes and palette of the data set. Setting it checks the protocols and the figures of the paper."""
        return super().dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        classes = list((dataset_meta or {}).get('classes') or ())
        if not classes:
            raise ValueError(f'DomainIoUMetric needs `classes` in the meta information of the data set: {dataset_meta}')
        if self.output_dir is not None and len(classes) > 256:
            raise ValueError(f'output_dir is for 8-bit PNG files, but the data set has {len(classes)} classes')
        protocols, paper = self._wanted
        self.protocols = resolve_protocols(protocols, classes)
        self.paper = paper_figures(paper, classes, self.protocols)
        BaseMetric.dataset_meta.fset(self, dataset_meta)
        self._counts = ImageCounts()

    @property
    def _classes(self) -> list[str]:
        """Class names of the data set."""
        if self.dataset_meta is None:
            raise ValueError('DomainIoUMetric.dataset_meta is not set: give it a dict with the class names, `classes`')
        return list(self.dataset_meta['classes'])

    def score_names(self) -> list[str]:
        """Return the names of all scores in the result of :meth:`evaluate`, for the classes of :attr:`dataset_meta`."""
        measures = dict.fromkeys(measure for metric in self.iou_metrics for measure in MEASURES[metric])
        names = [measure_name(measure, protocol) for measure in measures for protocol in self.protocols]
        names += ['aAcc', *(f'{metric[1:]}/{name}' for metric in self.iou_metrics for name in self._classes)]
        return [f'{self.prefix}/{name}' for name in names] if self.prefix else names

    def process(self, data_batch: Any, data_samples: Sequence[dict | BaseDataElement]) -> None:
        """Count the pixels of one batch.

        Args:
            data_batch: Not used.
            data_samples: Each with ``pred_sem_seg`` and ``gt_sem_seg``, whose ``data`` is (1, H, W) or (H, W) of an
                integer type.

        Raises:
            ValueError: See the class.
        """
        num_classes = len(self._classes)
        if not data_samples:
            return
        samples = [sample.to_dict() if isinstance(sample, BaseDataElement) else sample for sample in data_samples]
        names = [
            str(sample.get('img_path') or f'number {self._counts.num_images + place}')
            for place, sample in enumerate(samples)
        ]
        predictions = [_plane(sample, 'pred_sem_seg', name) for sample, name in zip(samples, names, strict=True)]
        counts = []
        for sample, name, prediction in zip(samples, names, predictions, strict=True):
            label = _plane(sample, 'gt_sem_seg', name)
            if prediction.shape != label.shape:
                raise ValueError(
                    f'image {name}: the prediction is {tuple(prediction.shape)}, but the label {tuple(label.shape)} '
                    '(H, W): predict at the size of the label'
                )
            counts.append(pair_counts(prediction, label, num_classes))
        stacked = torch.stack(counts)
        # One sync with the device for the whole batch.
        outside = stacked[:, :, [0, -1]].sum(dim=(1, 2)).tolist()
        for name, prediction, wrong in zip(names, predictions, outside, strict=True):
            if wrong:
                raise ValueError(
                    f'image {name}: {wrong} pixels have a prediction outside the {num_classes} classes of the data set '
                    f'(values from {prediction.min().item()} to {prediction.max().item()}); '
                    'the network and the data set need the same class list'
                )
        self._counts.add(stacked)
        if self.output_dir is not None:
            palette = (self.dataset_meta or {}).get('palette')
            for name, sample, prediction in zip(names, samples, predictions, strict=True):
                _write_prediction(Path(self.output_dir), palette, name, sample, prediction)

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the results of the whole data set, equal in every process, and reset the state.

        Args:
            size: Number of images of the data set.

        Raises:
            ValueError: If there was no image, or more than `size`.
        """
        side = len(self._classes) + 2
        counts, num_images = self._counts.collect(size, (side, side))
        self._counts = ImageCounts()
        matrix = counts[1:-1, 1:-1].copy()
        if 0 <= self.ignore_index < len(matrix):
            matrix[self.ignore_index] = 0
        results = self.compute_metrics([matrix])
        if is_main_process():
            self._report(matrix, num_images, results)
        if self.prefix:
            results = {f'{self.prefix}/{key}': value for key, value in results.items()}
        return results

    def compute_metrics(self, results: Sequence[np.ndarray]) -> dict[str, float]:
        """Return the scores in percent.

        Args:
            results: Confusion matrices (C, C) int64, row = label, column = prediction. Their sum is evaluated.

        Returns:
            The results that the class lists, as Python floats without rounding.
        """
        matrix = np.sum(results, axis=0)
        per_class = self._per_class(matrix)
        scores: dict[str, float] = {}
        for measure, values in per_class.items():
            for protocol, members in self.protocols.items():
                scores[measure_name(measure, protocol)] = mean(values[members])
        total = int(matrix.sum())
        if not total:
            print_log(
                'no pixel of these images has a label of one of the classes, so there is nothing to score: check the '
                "labels, and the data set's label_table and ignore_index",
                logger='current',
                level=logging.WARNING,
            )
        scores['aAcc'] = 100 * int(np.trace(matrix)) / total if total else float('nan')
        for metric in self.iou_metrics:
            measure = metric[1:]
            for name, value in zip(self._classes, per_class[measure].tolist(), strict=True):
                scores[f'{measure}/{name}'] = value
        return scores

    def _per_class(self, matrix: np.ndarray) -> dict[str, np.ndarray]:
        """Return percentages (C,) for each measure of ``iou_metrics``, with absent classes as the option says."""
        wanted = dict.fromkeys(measure for metric in self.iou_metrics for measure in MEASURES[metric])
        found = class_measures(matrix)
        if self.absent == 'zero':
            found = {measure: np.nan_to_num(values) for measure, values in found.items()}
        return {measure: 100 * found[measure] for measure in wanted}

    def _report(self, matrix: np.ndarray, num_images: int, scores: Mapping[str, float]) -> None:
        """Print the table and write the JSON file."""
        classes = self._classes
        per_class = {
            measure: dict(zip(classes, values.tolist(), strict=True))
            for measure, values in self._per_class(matrix).items()
        }
        means = {key: value for key, value in scores.items() if '/' not in key}
        table = results_table(classes, per_class, means, self.protocols, self.paper)
        print_log(f'{num_images} images, aAcc {scores["aAcc"]:.2f}\n{table}', logger='current')
        if self.json_file is None:
            return
        content = dict(
            num_images=num_images,
            absent=self.absent,
            classes=classes,
            metrics=_strict(means),
            per_class={measure: _strict(values) for measure, values in per_class.items()},
            protocols={name: [classes[index] for index in members] for name, members in self.protocols.items()},
            paper=self.paper and self.paper.as_dict(),
            confusion_matrix=matrix.tolist(),
        )
        write_json(self.json_file, content, indent=2, allow_nan=False)


def _write_prediction(
    folder: Path, palette: Sequence[Sequence[int]] | None, name: str, sample: Mapping[str, Any], prediction: Tensor
) -> None:
    """Write the prediction for one image as a PNG file."""
    if not sample.get('img_path'):
        raise ValueError(f'image {name} has no `img_path`, from which output_dir takes the names of its files')
    write_atomically(folder / f'{Path(name).stem}.png', label_png(prediction.cpu().numpy(), palette))


def _plane(sample: Mapping[str, Any], key: str, name: str) -> Tensor:
    """Return a map of a sample, (H, W) of an integer type."""
    if key not in sample:
        remedy = (
            'the data set has no annotations to compare with (tools/predict.py segments images without labels)'
            if key == 'gt_sem_seg'
            else 'the model must return data samples with a prediction'
        )
        raise ValueError(f'image {name} has no `{key}`: {remedy}')
    values = sample[key]['data'] if isinstance(sample[key], Mapping) else sample[key].data
    if values.dim() == 3 and len(values) == 1:
        values = values[0]
    if values.dim() != 2 or values.is_floating_point() or values.dtype == torch.bool:
        raise ValueError(
            f'image {name}: `{key}` must be integers of the shape (1, H, W) or (H, W), not {values.dtype} of the shape '
            f'{tuple(values.shape)}'
        )
    return values


def _strict(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return the values with None instead of NaN, because JSON has no NaN."""
    return {key: None if math.isnan(value) else value for key, value in values.items()}
