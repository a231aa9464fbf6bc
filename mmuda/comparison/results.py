"""Numbers of a comparison: means and deviations over seeds, and the worth (gain) of each method over the others."""

import json
import statistics as stats
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mmuda.evaluation.protocols import ALL_CLASSES

from .ledger import RunLedger
from .methods import Method
from .roots import root_notes
from .runs import Run


class Summary(NamedTuple):
    """Summary of one number over several seeds.

    Attributes:
        mean: Mean over the seeds.
        deviation: Standard deviation over the seeds (n - 1 in the denominator), None for a single seed.
    """

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> 'Summary':
        """Return the summary of one or more numbers."""
        return cls(stats.fmean(values), stats.stdev(values) if len(values) > 1 else None)


@dataclass
class Reading:
    """Results of a method with the batch-norm statistics of its training, or with those of the target domain.

    Attributes:
        method: The method.
        statistics: One of :data:`STATISTICS`: ``'stored'`` or ``'target'``.
        results: Content of the JSON file of :class:`DomainIoUMetric` by seed.
        entries: Entries of the ledger by seed.
    """

    method: Method
    statistics: str
    results: dict[int, dict[str, Any]]
    entries: dict[int, dict[str, Any]]

    @property
    def name(self) -> str:
        """Name of the method, with ``', target statistics'`` if they are not those of the training."""
        return self.method.name + (', target statistics' if self.statistics == 'target' else '')

    def values(self, measure: str) -> dict[int, float]:
        """Return a measure (a mean over classes, or ``aAcc``) in percent by seed."""
        return {seed: result['metrics'][measure] for seed, result in self.results.items()}

    def per_class(self) -> dict[str, list[float | None]]:
        """Return the IoU of each class in percent, one number for each seed; None where the class does not occur."""
        found = [result['per_class']['IoU'] for result in self.results.values()]
        return {name: [result[name] for result in found] for name in found[0]}

    def costs(self, key: str) -> list[float]:
        """Return ``seconds`` or ``iterations`` of the trainings, one number for each seed."""
        return [self.entries[seed][key] for seed in self.results]

    def memory(self) -> tuple[str, float] | None:
        """Return the kind of memory, ``'gpu'`` if known, else ``'process'``, and its highest peak over all seeds in MB.

        None if neither was measured.
        """
        for place in ('gpu', 'process'):
            peaks = [self.entries[seed]['memory'].get(place) for seed in self.results]
            known = [peak for peak in peaks if peak]
            if known:
                return place, max(known)
        return None

    def worth(self, other: 'Reading', measure: str) -> Summary | None:
        """Return the difference to another reading, taken seed by seed; None if they have no seed in common."""
        own, others = self.values(measure), other.values(measure)
        both = [own[seed] - others[seed] for seed in own if seed in others]
        return Summary.of(both) if both else None


@dataclass
class Results:
    """All numbers of a comparison.

    Attributes:
        readings: Methods in the order of the command line, each with each of its statistics.
        measure: The mean over classes in which worth, the difference between two readings, is measured.
        measures: All means over classes that every reading has, then ``aAcc``.
        classes: Names of all classes.
        num_images: Number of tested images.
        notes: Warnings and remarks to print below the table.
    """

    readings: list[Reading]
    measure: str
    measures: list[str]
    classes: list[str]
    num_images: int
    notes: list[str]

    @property
    def source_only(self) -> Reading | None:
        """The first source-only method, with the statistics of its training."""
        stored = (one for one in self.readings if one.method.is_source_only and one.statistics == 'stored')
        return next(stored, None)

    @property
    def best_baseline(self) -> Reading | None:
        """The baseline (source-only or AdaBN, with either statistics) with the highest mean; None without baselines."""
        baselines = [reading for reading in self.readings if reading.method.is_baseline]
        return max(baselines, key=lambda one: Summary.of(list(one.values(self.measure).values())).mean, default=None)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        best, source = self.best_baseline, self.source_only
        return dict(
            measure=self.measure,
            classes=self.classes,
            num_images=self.num_images,
            source_only=source and source.name,
            best_baseline=best and best.name,
            readings=[self._reading(reading) for reading in self.readings],
            notes=self.notes,
        )

    def _reading(self, reading: Reading) -> dict[str, Any]:
        def over(other: Reading | None) -> dict[str, Any] | None:
            worth = None if other is None or other is reading else reading.worth(other, self.measure)
            return worth and worth._asdict()

        return dict(
            method=reading.method.name,
            config=reading.method.path.as_posix(),
            statistics=reading.statistics,
            seeds=list(reading.results),
            metrics={
                measure: dict(Summary.of(values)._asdict(), values=values)
                for measure in self.measures
                for values in [list(reading.values(measure).values())]
            },
            over_source_only=over(self.source_only),
            over_best_baseline=over(self.best_baseline),
            per_class={name: _known(values) for name, values in reading.per_class().items()},
            iterations=reading.costs('iterations'),
            seconds=reading.costs('seconds'),
            memory=[reading.entries[seed]['memory'] for seed in reading.results],
            commits=[reading.entries[seed]['commit'] for seed in reading.results],
        )


def gather(
    runs: Sequence[Run],
    ledger: RunLedger,
    statistics: Sequence[str],
    measure: str | None = None,
    notes: Sequence[str] = (),
) -> Results:
    """Collect the results of all runs that are tested.

    Args:
        runs: All runs.
        ledger: State of the runs.
        statistics: Batch-norm statistics to read, of :data:`STATISTICS`.
        measure: The mean over classes in which worth is measured; by default see :func:`main_measure`.
        notes: Warnings so far. Notes on missing seeds and on other limits of the comparison are added.

    Raises:
        ValueError: If there is no result, the measure is unknown, or methods were tested on other images or classes.
    """
    readings, notes = [], list(notes)
    for method in {run.method.name: run.method for run in runs}.values():
        own = [run for run in runs if run.method is method]
        for which in statistics:
            tested = [run for run in own if ledger.is_tested(run, which)]
            if tested:
                found = {run.seed: json.loads(run.result_file(which).read_text(encoding='utf-8')) for run in tested}
                readings.append(Reading(method, which, found, {run.seed: ledger.entry(run) for run in tested}))
            if len(tested) < len(own):
                notes.append(_missing(method, which, [run.seed for run in own if run not in tested]))
    contents = [content for reading in readings for content in reading.results.values()]
    if not contents:
        raise ValueError('no run was trained and tested: there is nothing to compare')
    _check_comparable(readings)
    measures = [name for name in contents[0]['protocols'] if all(name in one['metrics'] for one in contents)]
    measure = measure or main_measure(contents)
    if measure not in measures:
        raise ValueError(f'the methods have no {measure!r} in common; they have {", ".join(measures)}')
    notes.extend(root_notes({run.name: ledger.entry(run).get('roots', {}) for run in _tested(runs, readings)}))
    notes.extend(
        f'{method.name} is tested with its last network alone, without the test_ensemble of its config'
        for method in {reading.method.name: reading.method for reading in readings}.values()
        if method.cfg.get('test_ensemble') is not None
    )
    samples: dict[int | None, list[str]] = {}
    for reading in readings:
        if reading.statistics == 'target':
            samples.setdefault(reading.method.target_sample, []).append(reading.method.name)
    for sample, names in samples.items():
        if sample is not None:
            of = f' of {", ".join(names)}' if len(samples) > 1 else ''
            notes.append(f'target statistics{of} are those of {sample} evenly spaced images (target_statistics.sample)')
    if not any(reading.method.is_source_only for reading in readings):
        notes.append('there is no source-only method: add its config to see the worth of the others over it')
    elif 'target' not in statistics:
        notes.append(
            'there are no results with statistics of the target, a baseline without any method: add target to '
            '--batch-norm'
        )
    return Results(readings, measure, [*measures, 'aAcc'], contents[0]['classes'], contents[0]['num_images'], notes)


def main_measure(contents: Sequence[Mapping[str, Any]]) -> str:
    """Return the first mean over named classes that all results have, else ``mIoU``, the mean of all classes.

    Args:
        contents: Contents of the JSON files of :class:`DomainIoUMetric`.
    """
    named = [name for name in contents[0]['protocols'] if name != ALL_CLASSES]
    return next((name for name in named if all(name in one['metrics'] for one in contents)), ALL_CLASSES)


def _check_comparable(readings: Sequence[Reading]) -> None:
    first, *others = [(reading, content) for reading in readings for content in reading.results.values()]
    for reading, content in others:
        for key in ('num_images', 'classes'):
            if content[key] != first[1][key]:
                raise ValueError(
                    f'{reading.name} was tested on {key} {content[key]}, {first[0].name} on {first[1][key]}: '
                    'only results on the same images and classes can be compared'
                )


def _tested(runs: Sequence[Run], readings: Sequence[Reading]) -> list[Run]:
    """Return the runs that have a result in at least one reading."""
    tested = {(reading.method.name, seed) for reading in readings for seed in reading.results}
    return [run for run in runs if (run.method.name, run.seed) in tested]


def _missing(method: Method, statistics: str, seeds: Sequence[int]) -> str:
    if statistics == 'target' and method.without_target_statistics:
        return f'{method.name} has no target statistics: {method.without_target_statistics}'
    return f'{method.name} ({statistics} statistics) has no result of the seeds {", ".join(map(str, seeds))}'


def _known(values: Sequence[float | None]) -> dict[str, float | None]:
    """Return mean and deviation of the IoU of a class; both None if the class does not occur for some seed."""
    known = [value for value in values if value is not None]
    return dict(Summary.of(known)._asdict()) if len(known) == len(values) else dict(mean=None, deviation=None)
