"""The tables of a report: verdict, headline table and class table."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .records import RunSummary

BASELINE = 'AdaBN'
DASH = '\u2013'
Numbers = Mapping[str, float | None]


class Cell(NamedTuple):
    """One cell of a table.

    Attributes:
        text: The content of the cell.
        kind: CSS class: 'best', 'up', 'down', 'paper' or ''.
        share: Number for the shade or bar of the cell. Bars have a share in [0, 1]; cells with a difference have the
            difference in percentage points, which :func:`class_table` scales to [-1, 1]. None without a number.
    """

    text: str = ''
    kind: str = ''
    share: float | None = None


def references(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Return the runs that others are compared with.

    These are the baselines. If there are none, they are the first run of each test procedure and the runs named
    'AdaBN'. A run that no other run is comparable with (see :func:`comparable`) is left out.
    """
    first = {run.procedure: run for run in reversed(runs)}
    found = [run for run in runs if run.baseline] or [
        run for run in runs if run is first[run.procedure] or run.name == BASELINE
    ]
    return [run for run in found if any(other is not run and comparable(other, run) for other in runs)]


def comparable(run: RunSummary, other: RunSummary) -> bool:
    """Return whether the difference of two results is a gain: whether both were tested in the same way."""
    return run.procedure == other.procedure


def contenders(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Return the runs of which one can be the best: all but oracles, or all if there is nothing else."""
    return [run for run in runs if not run.oracle] or list(runs)


def verdict(runs: Sequence[RunSummary]) -> dict[str, Any]:
    """Return a comparison of the runs under one protocol, the first of those that most :func:`contenders` have.

    Returns:
        A dict with ``measure``, the name of the protocol; ``value``, the highest mean of :func:`contenders` as text;
        ``best``, the names of those with this mean; ``compared``, the number of those that have a mean; ``gains``, for
        each run of :func:`references` that is comparable with a best run its name and a cell with the difference of
        ``value`` to it; and ``bars``, for each run a dict with ``name`` and the cells ``ours`` and ``paper``, with
        shares of the highest number.
    """
    means = {run.name: run.means() for run in runs}
    contending = [run.name for run in contenders(runs)]
    measures = dict.fromkeys(name for run in contending for name in means[run] if name != 'aAcc')
    measure = max(measures, key=lambda name: sum(means[run].get(name) is not None for run in contending))
    values = {name: row.get(measure) for name, row in means.items()}
    published = {run.name: run.paper_means().get(measure) for run in runs}
    known = {run: value for run in contending if (value := values[run]) is not None}
    top = max(known.values())
    best = [name for name, value in known.items() if _shown(value) == _shown(top)]
    full = max(value for value in (*values.values(), *published.values(), 1e-9) if value is not None)
    return dict(
        measure=measure,
        value=_percent(top),
        best=best,
        compared=len(known),
        gains=[
            (other.name, _difference(top, values[other.name]))
            for other in references(runs)
            if other.name not in best
            and values[other.name] is not None
            and any(comparable(run, other) for run in runs if run.name in best)
        ],
        bars=[
            dict(name=name, ours=_scaled(values[name], full), paper=_scaled(published[name], full)) for name in means
        ],
    )


def headline_table(runs: Sequence[RunSummary]) -> dict[str, Any]:
    """Return the table of the means of all runs, with differences to the references and the figures of papers.

    Returns:
        A dict with ``measures``, for each group of columns a dict with ``name`` and ``columns``; and ``rows``, for each
        run a dict with ``name`` and ``groups``, a list of cells for each group. A cell is empty where a run is not
        comparable with a reference.
    """
    means = {run.name: run.means() for run in runs}
    names = list(dict.fromkeys(name for row in means.values() for name in row))
    # The pixel accuracy is not the mean of a protocol, so it gets no differences.
    compared = {name: references(runs) if name != 'aAcc' else [] for name in names}
    published = [name for name in names if any(run.paper_means().get(name) is not None for run in runs)]
    contending = {run.name for run in contenders(runs)}
    best = {name: _best([means[run].get(name) for run in contending]) for name in names}
    measures = [
        dict(
            name=name,
            columns=['%', *(f'vs {other.name}' for other in compared[name]), *['paper'] * (name in published)],
        )
        for name in names
    ]
    rows = []
    for run in runs:
        groups = []
        for name in names:
            value = means[run.name].get(name)
            group = [Cell(_percent(value), 'best' if run.name in contending and _shown(value) == best[name] else '')]
            for other in compared[name]:
                gains = other is not run and comparable(run, other)
                group.append(_difference(value, means[other.name].get(name)) if gains else Cell())
            if name in published:
                figure = run.paper_means().get(name)
                group.append(Cell('' if figure is None else _percent(figure), 'paper'))
            groups.append(group)
        rows.append(dict(name=run.name, groups=groups))
    return dict(measures=measures, rows=rows)


def class_table(runs: Sequence[RunSummary], classes: Sequence[str]) -> dict[str, Any]:
    """Return the table of the IoU of each class in all runs and papers, with the gain of a run.

    It is the last of :func:`contenders` with a reference that it is comparable with, over the last of these references.

    Returns:
        A dict with ``columns``, pairs of a heading and a CSS class; ``gain``, the names of the two runs that the last
        column compares, or None; and ``rows``, lists of cells in the order of the classes.
    """
    contending = {run.name for run in contenders(runs)}
    columns: list[tuple[str, str, Numbers]] = []
    for run in runs:
        columns.append((run.name, '' if run.name in contending else 'oracle', run.iou()))
        if run.paper_iou():
            columns.append((run.paper, 'paper', run.paper_iou()))
    pairs = [
        (run, other)
        for run in contenders(runs)
        for other in references(runs)
        if other is not run and comparable(run, other)
    ]
    after, before = (run.iou() for run in pairs[-1]) if pairs else ({}, {})
    gains = [_difference(after.get(name), before.get(name)) for name in classes]
    widest = max((abs(gain.share) for gain in gains if gain.share is not None), default=0) or 1
    rows = []
    for name, gain in zip(classes, gains, strict=True):
        best = _best([values.get(name) for _, kind, values in columns if not kind])
        row = []
        for _, kind, values in columns:
            cell = _scaled(values.get(name), 100)
            row.append(cell._replace(kind='best' if not kind and _shown(values.get(name)) == best else kind))
        if pairs:
            row.append(gain._replace(share=None if gain.share is None else gain.share / widest))
        rows.append(row)
    return dict(
        columns=[(heading, kind) for heading, kind, _ in columns],
        gain=tuple(run.name for run in pairs[-1]) if pairs else None,
        rows=rows,
    )


def _shown(value: float | None) -> float | None:
    """Return the value rounded as in the table, so that numbers that look equal are equal."""
    return None if value is None else round(value, 1)


def _best(values: Sequence[float | None]) -> float:
    """Return the highest value, rounded as in the table; infinity, which equals no value, if none is to be marked."""
    shown = [round(value, 1) for value in values if value is not None]
    return max(shown) if len(values) > 1 and shown and max(shown) > 0 else float('inf')


def _percent(value: float | None) -> str:
    """Return a percentage as text."""
    return DASH if value is None else f'{value:.1f}'


def _scaled(value: float | None, full: float) -> Cell:
    """Return a cell with a number, and its share of ``full``."""
    return Cell(_percent(value), '', None if value is None else min(max(value / full, 0), 1))


def _difference(value: float | None, other: float | None) -> Cell:
    """Return a cell with the signed difference of two numbers, which is also the cell's ``share``."""
    if value is None or other is None:
        return Cell(DASH)
    difference = round(value - other, 1)
    if difference == 0:
        return Cell('\u00b10.0', '', 0)
    sign, kind = ('+', 'up') if difference > 0 else ('\u2212', 'down')
    return Cell(f'{sign}{abs(difference):.1f}', kind, difference)
