"""The table of results by class, with the figures of a paper."""

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
    """Return a text table with one row for each class, then one row for the mean of each protocol.

    Args:
        classes: Class names.
        per_class: Percentages by measure and class.
        means: Percentages by the name of the mean.
        protocols: Class indices by protocol, a named set of classes.
        paper: Published IoU, for one more column. If IoU is evaluated, another column has our difference from it.
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
