"""The per-class table, with the figures of a paper beside ours."""

import math
from collections.abc import Mapping, Sequence

from terminaltables import AsciiTable

from .paper import PaperFigures
from .protocols import measure_name


def results_table(
    classes: Sequence[str],
    per_class: Mapping[str, Mapping[str, float]],
    means: Mapping[str, float],
    protocols: Mapping[str, Sequence[int]],
    paper: PaperFigures | None = None,
) -> str:
    """A text table: one row for each class, then one for the mean of each protocol.

    Args:
        classes: Class names.
        per_class: Percent by measure and class.
        means: Percent by name of mean.
        protocols: Class indices by protocol.
        paper: Published IoU, a column of its own; if IoU is evaluated, our difference from it is another.
    """
    measures = list(per_class)
    header = ['class', *measures]
    compared = paper is not None and 'IoU' in measures
    if paper is not None:
        header += [f'{paper.name} IoU', *(['difference'] if compared else [])]
    rows = [header]

    def add(label: str, values: Sequence[float], published: float | None) -> None:
        row = [label, *map(_show, values)]
        if paper is not None:
            row.append(_show(published))
        if compared:
            ours = values[measures.index('IoU')]
            row.append(_show(None if published is None else ours - published, '+'))
        rows.append(row)

    for name in classes:
        add(name, [values[name] for values in per_class.values()], paper.per_class.get(name) if paper else None)
    for protocol, members in protocols.items():
        add(
            f'{measure_name(measures[0], protocol)} ({len(members)} classes)',
            [means[measure_name(measure, protocol)] for measure in measures],
            paper.means.get(protocol) if paper else None,
        )
    table = AsciiTable(rows)
    table.justify_columns = {column: 'right' for column in range(1, len(header))}
    return table.table


def _show(value: float | None, sign: str = '') -> str:
    return '-' if value is None or math.isnan(value) else f'{value:{sign}.2f}'
