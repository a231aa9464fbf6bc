"""The tables of the report: runs beside each other, overall and by class."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from .records import RunSummary

BASELINE = 'AdaBN'
DASH = '<span class="none">\u2013</span>'


def swatch(color: str) -> str:
    """A small square of a CSS colour."""
    return f'<span class="swatch" style="background:{escape(color)}"></span>'


def rgb(color: Sequence[int]) -> str:
    """A colour of the palette in CSS."""
    return 'rgb({}, {}, {})'.format(*(int(value) for value in color))


def headline_table(runs: Sequence[RunSummary], colors: Mapping[str, str]) -> str:
    """Runs by protocol means, with the differences to the first run and to the one named 'AdaBN'.

    Args:
        runs: The rows, at least one.
        colors: CSS colour of each run.

    Returns:
        HTML.
    """
    means = {run.name: run.means() for run in runs}
    measures = list(dict.fromkeys(name for row in means.values() for name in row))
    references = [runs[0].name] if len(runs) > 1 else []
    if BASELINE in means and BASELINE not in references and len(runs) > 1:
        references.append(BASELINE)
    # The pixel accuracy is no mean of a protocol: it stands alone.
    compared = {name: references if name != 'aAcc' else [] for name in measures}
    groups = ''.join(
        f'<th colspan="{1 + len(compared[name])}" class="group" scope="colgroup">{escape(name)}</th>'
        for name in measures
    )
    below = ''.join(
        '<th class="first num">%</th>'
        + ''.join(f'<th class="num versus">vs {escape(reference)}</th>' for reference in compared[name])
        for name in measures
    )
    best = {name: _best([row.get(name) for row in means.values()]) for name in measures}
    body = []
    for run in runs:
        cells = []
        for name in measures:
            value = means[run.name].get(name)
            cells.append(f'<td class="first num{" best" if _shown(value) == best[name] else ""}">{_text(value)}</td>')
            for reference in compared[name]:
                other = means[reference].get(name)
                cells.append('<td class="num delta"></td>' if reference == run.name else _difference(value, other))
        body.append(f'<tr><th scope="row">{swatch(colors[run.name])}{escape(run.name)}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="scroll"><table class="headline"><thead><tr><th rowspan="2">Run</th>{groups}</tr>'
        f'<tr>{below}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def class_table(runs: Sequence[RunSummary], classes: Sequence[str], palette: np.ndarray) -> str:
    """IoU of each class in each run, shaded by value, the best of a row marked.

    Args:
        runs: The columns.
        classes: The rows.
        palette: (C, 3) uint8, RGB colour of each class.

    Returns:
        HTML.
    """
    columns: list[dict[str, float | None]] = [run.iou() for run in runs]
    head = ''.join(f'<th class="num" scope="col">{escape(run.name)}</th>' for run in runs)
    body = []
    for name, color in zip(classes, palette, strict=True):
        values = [column.get(name) for column in columns]
        best = _best(values)
        cells = ''.join(_shaded(value, _shown(value) == best) for value in values)
        body.append(f'<tr><th scope="row">{swatch(rgb(color))}{escape(name)}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table class="classes"><thead><tr><th>Class</th>{head}</tr></thead>'
        f'<tbody>{"".join(body)}</tbody></table></div>'
    )


def _shown(value: float | None) -> float | None:
    """The value as far as it is printed, so that what looks equal is equal."""
    return None if value is None else round(value, 1)


def _best(values: Sequence[float | None]) -> float:
    """The highest value as printed; infinity, which no value is, where nothing is to be marked."""
    shown = [_shown(value) for value in values if value is not None]
    return max(shown) if len(values) > 1 and shown and max(shown) > 0 else float('inf')


def _text(value: float | None) -> str:
    """A percentage."""
    return DASH if value is None else f'{value:.1f}'


def _difference(value: float | None, reference: float | None) -> str:
    """A cell with a signed difference."""
    if value is None or reference is None:
        return f'<td class="num delta">{DASH}</td>'
    difference = round(value - reference, 1)
    if difference == 0:
        return '<td class="num delta">\u00b10.0</td>'
    sign, kind = ('+', 'up') if difference > 0 else ('\u2212', 'down')
    return f'<td class="num delta {kind}">{sign}{abs(difference):.1f}</td>'


def _shaded(value: float | None, best: bool) -> str:
    """A cell whose background is the stronger the higher the value."""
    if value is None:
        return f'<td class="num">{DASH}</td>'
    share = 0.55 * min(max(value, 0), 100) / 100
    mark = ' best' if best else ''
    return f'<td class="num{mark}" style="background:rgba(63,127,217,{share:.3f})">{value:.1f}</td>'
