"""One HTML page on a few runs: numbers, curves, pictures."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from mmuda.files import write_atomically

from .curves import Curve, line_chart, series_colors
from .gallery import class_legend, picture_grid
from .pictures import check_palette
from .records import RunSummary, Sample, check_records
from .style import STYLE
from .tables import class_table, headline_table, swatch

VALIDATION = 'mIoU'


def write_report(
    path: str | Path,
    title: str,
    runs: Sequence[RunSummary],
    samples: Sequence[Sample],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    note: str = '',
) -> Path:
    """Write the report as one HTML file that needs no other file, no network and no script.

    Args:
        path: Where to; missing folders are made, and a file there is replaced only by a whole one.
        title: Heading of the page.
        runs: In the order to show them; differences are taken to the first and to the one named 'AdaBN', if any, and
            the entropy maps are those of the last.
        samples: Pictures to show; may be empty.
        classes: Names of the classes in the order of the train ids.
        palette: RGB colour of each class.
        note: Text for below the headline table; an empty line starts a paragraph.

    Returns:
        The path.

    Raises:
        ValueError: If the records do not belong together (see ``check_records``), or the palette or a label map does
            not fit the classes.
    """
    colours = check_palette(palette)
    if len(colours) != len(classes):
        raise ValueError(f'{len(classes)} classes need as many colours, the palette has {len(colours)}')
    check_records(runs, samples, classes)
    colors = series_colors(run.name for run in runs)
    sections = [
        _headline(runs, colors, note),
        _classes(runs, classes, colours),
        _curves(runs, colors),
        _pictures(runs, samples, classes, colours),
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f'<body><main><h1>{escape(title)}</h1>\n' + '\n'.join(sections) + '\n</main></body></html>\n'
    )
    write_atomically(path, page.encode('utf-8'))
    return Path(path)


def _section(heading: str, lead: str, content: str) -> str:
    """A part of the page."""
    return f'<section><h2>{escape(heading)}</h2><p class="lead">{escape(lead)}</p>{content}</section>'


def _headline(runs: Sequence[RunSummary], colors: Mapping[str, str], note: str) -> str:
    """The table of the means and what is to be said about it."""
    remarks = [f'<p>{escape(paragraph.strip())}</p>' for paragraph in note.split('\n\n') if paragraph.strip()]
    remarks += [f'<p><b>{escape(run.name)}</b> \u2013 {escape(run.note)}</p>' for run in runs if run.note]
    below = f'<div class="notes">{"".join(remarks)}</div>' if remarks else ''
    counts = sorted({run.metrics['num_images'] for run in runs if 'num_images' in run.metrics})
    lead = 'Mean IoU by protocol and pixel accuracy (aAcc), in percent'
    if counts:
        lead += f', over {" / ".join(map(str, counts))} image{"" if counts == [1] else "s"}'
    return _section('Results', f'{lead}.', f'<div class="card">{headline_table(runs, colors)}{below}</div>')


def _classes(runs: Sequence[RunSummary], classes: Sequence[str], palette: np.ndarray) -> str:
    """The table of the classes."""
    lead = 'IoU in percent; the best run of each class is marked. A dash: it does not occur or was not measured.'
    return _section('Classes', lead, f'<div class="card">{class_table(runs, classes, palette)}</div>')


def _curves(runs: Sequence[RunSummary], colors: Mapping[str, str]) -> str:
    """The validation curve of all runs in one chart, and one small chart for each loss."""
    found: dict[str, dict[str, Curve]] = {}
    for run in runs:
        for name, curve in run.curves.items():
            if curve[0] and (name == VALIDATION or 'loss' in name):
                found.setdefault(name, {})[run.name] = curve
    parts: list[str] = []
    validation = found.pop(VALIDATION, None)
    if validation:
        chart = line_chart(validation, 'Validation mIoU', width=1120, height=340, y_label='percent', colors=colors)
        parts.append(f'<div class="card">{chart}</div>')
    charts = ''.join(
        f'<div>{line_chart(found[name], name, 360, 220, colors=colors, legend=False)}</div>'
        for name in sorted(found, key=lambda name: -len(found[name]))
    )
    if charts:
        entries = ''.join(f'<li>{swatch(colors[run.name])}{escape(run.name)}</li>' for run in runs)
        parts.append(f'<div class="card"><ul class="legend">{entries}</ul></div><div class="charts">{charts}</div>')
    if not parts:
        return _section('Training', 'The runs have no logged curves.', '')
    lead = 'What was logged during training: validation, and every loss with the runs that have it.'
    return _section('Training', lead, ''.join(parts))


def _pictures(
    runs: Sequence[RunSummary], samples: Sequence[Sample], classes: Sequence[str], palette: np.ndarray
) -> str:
    """The samples, and what their colours mean."""
    legend = class_legend(classes, palette)
    if not samples:
        return _section(
            'Pictures',
            'No samples were given; the colours of the classes are these.',
            f'<div class="card">{legend}</div>',
        )
    lead = 'What each run sees in images of the target domain. Black is not labelled.'
    return _section('Pictures', lead, f'<div class="card">{picture_grid(runs, samples, palette)}{legend}</div>')
