"""Input of a report: runs with their results, and sample images with their predictions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .pictures import check_rgb


@dataclass
class RunSummary:
    """Results of one training run or one checkpoint.

    A protocol is a named set of classes over which mean IoU is taken.

    Args:
        name: Name in the report; each run needs a different one.
        metrics: Content of the JSON file of ``DomainIoUMetric``, in percent. A report uses the mean of each protocol,
            either as ``protocols: {name: number}`` or as ``metrics: {name: number}`` with
            ``protocols: {name: [classes]}``; ``per_class: {'IoU': {class: number or None}}``; ``aAcc`` at the top or in
            ``metrics``; ``num_images``; and ``paper``, None or
            ``{'name', 'per_class': {class: number}, 'means': {protocol: number}}``.
        curves: Steps and values by name, as returned by ``read_scalars``.
        note: A remark, shown below the headline table.
        baseline: Whether the other runs are compared with this run.
        statistics: Batch-norm statistics of the results, ``'stored'`` or ``'target'``.
        tta: Whether predictions were averaged over augmentations of each image. Only runs with the same
            :attr:`procedure` are compared.
        oracle: Whether it was trained with labels of the target. Such an upper bound is never marked as the best.
    """

    name: str
    metrics: dict
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    note: str = ''
    baseline: bool = False
    statistics: str = ''
    tta: bool = False
    oracle: bool = False

    @property
    def procedure(self) -> tuple[str, bool]:
        """How the run was tested: its statistics, and whether with test-time augmentation."""
        return self.statistics, self.tta

    def means(self) -> dict[str, float | None]:
        """Return the mean of each protocol, then the pixel accuracy ``aAcc`` if there is one.

        A mean that is missing or not finite is None.

        Raises:
            ValueError: If no protocol has a mean.
        """
        flat = self.metrics.get('metrics', {})
        means = {
            name: _number(flat.get(name) if isinstance(value, (list, tuple)) else value)
            for name, value in self.metrics.get('protocols', {}).items()
        }
        if not any(value is not None for value in means.values()):
            raise ValueError(
                f'run {self.name!r}: its metrics have no mean of a protocol; found the keys '
                f'{sorted(self.metrics)}, expected the JSON file that DomainIoUMetric writes'
            )
        accuracy = _number(self.metrics.get('aAcc', flat.get('aAcc')))
        return means if accuracy is None else {**means, 'aAcc': accuracy}

    def iou(self) -> dict[str, float | None]:
        """Return the IoU of each class; None for a class that does not occur."""
        return _numbers(self.metrics.get('per_class', {}).get('IoU'))

    @property
    def paper(self) -> str:
        """Name of the published result for this run, or ''."""
        return (self.metrics.get('paper') or {}).get('name', '')

    def paper_means(self) -> dict[str, float | None]:
        """Return the published mean of each protocol."""
        return _numbers((self.metrics.get('paper') or {}).get('means'))

    def paper_iou(self) -> dict[str, float | None]:
        """Return the published IoU of each class."""
        return _numbers((self.metrics.get('paper') or {}).get('per_class'))


@dataclass
class Sample:
    """One image with its ground truth and the predictions of the runs.

    Args:
        name: Name in the report.
        image: (H, W, 3) uint8, RGB.
        ground_truth: (H, W) uint8 train ids, 255 is ignored.
        predictions: (H, W) uint8 train ids by name of the run; runs can be missing.
        entropies: (H, W) in [0, 1] by name of the run; runs can be missing.
    """

    name: str
    image: np.ndarray
    ground_truth: np.ndarray
    predictions: dict[str, np.ndarray]
    entropies: dict[str, np.ndarray] = field(default_factory=dict)


def check_records(runs: Sequence[RunSummary], samples: Sequence[Sample], classes: Sequence[str]) -> None:
    """Check that runs, samples and classes of a report are consistent.

    Raises:
        ValueError: If there is no run, if two runs have one name, if a class or run is unknown, or if shapes in a
            sample differ.
    """
    names = [run.name for run in runs]
    if not names:
        raise ValueError('a report needs at least one run')
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f'runs in a report need different names; these occur more than once: {repeated}')
    for run in runs:
        unknown = [name for name in run.iou() if name not in classes]
        if unknown:
            raise ValueError(
                f'run {run.name!r} has results for the classes {unknown}, which the report does not have; '
                f'its classes are {list(classes)}'
            )
    for sample in samples:
        check_rgb(sample.image, sample.name)
        _check_maps(sample, names, dict(sample.predictions, **{'': sample.ground_truth}), 'prediction')
        _check_maps(sample, names, sample.entropies, 'entropy map')


def _check_maps(sample: Sample, runs: Sequence[str], maps: Mapping[str, np.ndarray], what: str) -> None:
    """Check that maps belong to known runs and have the size of the image; the run '' stands for the ground truth."""
    for run, values in maps.items():
        if run and run not in runs:
            raise ValueError(f'sample {sample.name!r} has a {what} of run {run!r}; the runs are {list(runs)}')
        if values.shape != sample.image.shape[:2]:
            what = f'{what} of run {run!r}' if run else 'ground truth'
            raise ValueError(
                f'sample {sample.name!r}: the {what} has the shape {values.shape}, the image '
                f'{sample.image.shape[:2]}; resize it to the image'
            )


def _numbers(values: Mapping[str, float | None] | None) -> dict[str, float | None]:
    """Return each number, or None if it is missing or not finite."""
    return {name: _number(value) for name, value in (values or {}).items()}


def _number(value: float | None) -> float | None:
    """Return the number, or None if it is None or not finite."""
    return None if value is None or not math.isfinite(value) else float(value)
