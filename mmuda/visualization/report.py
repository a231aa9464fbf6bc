"""The report: one HTML page that compares runs with tables, curves and pictures."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mmuda.constants import LABEL_FREE_PREFIX, LABEL_FREE_SCORES
from mmuda.files import write_atomically

from .figures import SMOOTH_FROM, line_chart, series_colors
from .pictures import Palette, check_palette, colorize, heat
from .records import RunSummary, Sample, check_records
from .scalars import Curve
from .tables import class_table, headline_table, verdict

TEMPLATES = Path(__file__).parent / 'templates'
VALIDATION = 'mIoU'
MAX_WIDTH = 640
SMALL = 400


def write_report(
    path: str | Path,
    title: str,
    runs: Sequence[RunSummary],
    samples: Sequence[Sample],
    classes: Sequence[str],
    palette: Palette,
    note: str = '',
) -> Path:
    """Write a report as one HTML file that needs no other file, no network and no script.

    Equal input gives equal bytes.

    Args:
        path: Path of the file. Missing folders are created, and the file is written atomically.
        title: Heading of the page.
        runs: The runs in the order of the report. They are compared with the runs that are baselines; if there are
            none, with the first run and with the run named 'AdaBN', if any. Only runs with the same batch-norm
            statistics and test-time augmentation are compared. Entropy maps are those of the last run.
        samples: Images to show, possibly none. Pictures wider than ``MAX_WIDTH`` are embedded at that width.
        classes: Names of the classes in the order of the train ids.
        palette: RGB colour of each class.
        note: Text below the headline table; an empty line starts a paragraph.

    Returns:
        The path of the file.

    Raises:
        ValueError: If runs, samples and classes are not consistent (see ``check_records``), or if the palette or a
            label map does not fit the classes.
    """
    colours = check_palette(palette)
    if len(colours) != len(classes):
        raise ValueError(f'{len(classes)} classes need as many colours, but the palette has {len(colours)}')
    check_records(runs, samples, classes)
    colors = series_colors(run.name for run in runs)
    context = dict(
        title=title,
        runs=runs,
        colors=colors,
        counts=sorted({run.metrics['num_images'] for run in runs if 'num_images' in run.metrics}),
        verdict=verdict(runs),
        headline=headline_table(runs),
        notes=[paragraph.strip() for paragraph in note.split('\n\n') if paragraph.strip()],
        classes=class_table(runs, classes),
        legend=[
            (name, 'rgb({}, {}, {})'.format(*color)) for name, color in zip(classes, colours.tolist(), strict=True)
        ],
        charts=_charts(runs, colors),
        smoothed=any(len(values) >= SMOOTH_FROM for run in runs for _, values in run.curves.values()),
        samples=[dict(name=sample.name, pictures=_pictures(sample, runs, samples, colours)) for sample in samples],
        entropy_scale=_picture(heat(np.linspace(0, 1, 128, dtype=np.float32)[None]), '', ''),
    )
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    write_atomically(path, environment.get_template('report.html.jinja').render(context).encode('utf-8'))
    return Path(path)


def _charts(runs: Sequence[RunSummary], colors: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the charts of all runs: validation mIoU, scores without labels, then losses.

    Losses are sorted by the number of runs that have them, most first.

    Returns:
        Titles and SVG elements.
    """
    found: dict[str, dict[str, Curve]] = {VALIDATION: {}}
    for run in runs:
        for name, curve in run.curves.items():
            if curve[0] and (name == VALIDATION or 'loss' in name):
                found.setdefault(name, {})[run.name] = curve
    validation = found.pop(VALIDATION)
    charts = {f'Validation {VALIDATION}, percent': validation} if validation else {}
    for score, rule in LABEL_FREE_SCORES.items():
        name = f'{LABEL_FREE_PREFIX}/{score}'
        series = {run.name: run.curves[name] for run in runs if run.curves.get(name, ([], []))[0]}
        if series:
            charts[f'Validation {score}, without labels; {rule} is better'] = series
    charts.update((name, found[name]) for name in sorted(found, key=lambda name: -len(found[name])))
    return [(title, line_chart(series, title, colors=colors)) for title, series in charts.items()]


def _pictures(
    sample: Sample, runs: Sequence[RunSummary], samples: Sequence[Sample], palette: np.ndarray
) -> list[dict[str, Any]]:
    """Return the pictures of a sample: image, ground truth, the prediction of each run, the entropy of the last run.

    The list has the same length for every sample. Where a run has no picture, only the caption is shown.
    """
    last = runs[-1].name
    pictures = [
        _picture(sample.image, 'Image', f'{sample.name}: image'),
        _picture(colorize(sample.ground_truth, palette), 'Ground truth', f'{sample.name}: ground truth', nearest=True),
    ]
    for run in runs:
        label = sample.predictions.get(run.name)
        painted = None if label is None else colorize(label, palette)
        pictures.append(_picture(painted, run.name, f'{sample.name}: prediction of {run.name}', nearest=True))
    if any(last in other.entropies for other in samples):
        entropy = sample.entropies.get(last)
        painted = None if entropy is None else heat(entropy)
        pictures.append(_picture(painted, f'Entropy, {last}', f'{sample.name}: entropy of {last}'))
    return pictures


def _picture(picture: np.ndarray | None, caption: str, alt: str, nearest: bool = False) -> dict[str, Any]:
    """Return an RGB picture for the template, at most MAX_WIDTH wide; only the caption if there is no picture."""
    if picture is None:
        return dict(caption=caption, src=None)
    height, width = picture.shape[:2]
    if width > MAX_WIDTH:
        size = (MAX_WIDTH, max(1, round(height * MAX_WIDTH / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST if nearest else cv2.INTER_AREA)
    _, content = cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 6])
    return dict(
        caption=caption,
        alt=alt,
        src=f'data:image/png;base64,{base64.b64encode(content.tobytes()).decode()}',
        height=picture.shape[0],
        width=picture.shape[1],
        crisp=width < SMALL,  # The browser enlarges small pictures without smoothing.
    )
