"""The records that a report shows: runs with their numbers, and sample pictures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .pictures import check_rgb


@dataclass
class RunSummary:
    """One training run, or one checkpoint, and how it was measured.

    Args:
        name: Names it everywhere in a report; unique there.
        metrics: Content of the JSON file of ``DomainIoUMetric``. Read here: the mean of each protocol, either as
            ``protocols: {name: number}`` or as ``metrics: {name: number}`` with ``protocols: {name: [classes]}``;
            ``per_class: {'IoU': {class: number or None}}``; ``aAcc`` at the top or in ``metrics``; ``num_images``;
            ``paper: {'name', 'per_class': {class: number}, 'means': {protocol: number}}`` or None. Numbers are
            percentages.
        curves: Steps and values by name, as ``read_scalars`` gives them.
        note: A remark for below the headline table.
        baseline: Whether the others are compared with this run.
    """

    name: str
    metrics: dict
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    note: str = ''
    baseline: bool = False

    def means(self) -> dict[str, float | None]:
        """Return the mean by protocol, then the pixel accuracy ``aAcc``; None where there is no number."""
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
        """Return the IoU by class; None where the class does not occur."""
        return _numbers(self.metrics.get('per_class', {}).get('IoU'))

    @property
    def paper(self) -> str:
        """Name of the published result beside this run, or ''."""
        return (self.metrics.get('paper') or {}).get('name', '')

    def paper_means(self) -> dict[str, float | None]:
        """Return the published mean by protocol."""
        return _numbers((self.metrics.get('paper') or {}).get('means'))

    def paper_iou(self) -> dict[str, float | None]:
        """Return the published IoU by class."""
        return _numbers((self.metrics.get('paper') or {}).get('per_class'))


@dataclass
class Sample:
    """One picture with what the runs see in it.

    Args:
        name: Names it.
        image: (H, W, 3) uint8, RGB.
        ground_truth: (H, W) uint8 train ids, 255 ignored.
        predictions: (H, W) uint8 train ids by name of the run; runs may be missing.
        entropies: (H, W) in [0, 1] by name of the run; runs may be missing.
    """

    name: str
    image: np.ndarray
    ground_truth: np.ndarray
    predictions: dict[str, np.ndarray]
    entropies: dict[str, np.ndarray] = field(default_factory=dict)


def check_records(runs: Sequence[RunSummary], samples: Sequence[Sample], classes: Sequence[str]) -> None:
    """Refuse records that do not fit each other.

    Raises:
        ValueError: If there is no run, names repeat, a class or run is unknown, or shapes in a sample differ.
    """
    names = [run.name for run in runs]
    if not names:
        raise ValueError('a report needs at least one run')
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f'runs in a report need different names; given more than once: {repeated}')
    for run in runs:
        unknown = [name for name in run.iou() if name not in classes]
        if unknown:
            raise ValueError(
                f'run {run.name!r} was measured on classes {unknown} that the report does not have; '
                f'its classes are {list(classes)}'
            )
    for sample in samples:
        check_rgb(sample.image, sample.name)
        _check_maps(sample, names, dict(sample.predictions, **{'': sample.ground_truth}), 'prediction')
        _check_maps(sample, names, sample.entropies, 'entropy map')


def _check_maps(sample: Sample, runs: Sequence[str], maps: Mapping[str, np.ndarray], what: str) -> None:
    """Refuse maps of unknown runs or of another shape; the run '' stands for the ground truth."""
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
    """Return finite numbers, and None for all others."""
    return {name: _number(value) for name, value in (values or {}).items()}


def _number(value: float | None) -> float | None:
    """Return a finite number, else None."""
    return None if value is None or not math.isfinite(value) else float(value)
