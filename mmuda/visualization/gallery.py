"""The pictures of the report: one row for each sample."""

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from .pictures import colorize, heat
from .records import RunSummary, Sample
from .tables import rgb, swatch

MAX_WIDTH = 640
SMALL = 400


def picture_grid(runs: Sequence[RunSummary], samples: Sequence[Sample], palette: np.ndarray) -> str:
    """Image, ground truth, the prediction of each run and the entropy of the last run, sample by sample.

    Pictures wider than MAX_WIDTH are embedded at that width.

    Args:
        runs: Give names and order of the predictions.
        samples: The rows, checked by ``check_records``.
        palette: (C, 3) uint8, RGB colour of each class.

    Returns:
        HTML with the pictures inside.
    """
    last = runs[-1].name
    uncertain = any(last in sample.entropies for sample in samples)
    titles = ['Image', 'Ground truth', *(run.name for run in runs), *([f'Entropy, {last}'] if uncertain else [])]
    parts = [f'<div class="column">{escape(title)}</div>' for title in titles]
    for sample in samples:
        cells = [
            _embed(sample.image, f'{sample.name}: image'),
            _embed(colorize(sample.ground_truth, palette), f'{sample.name}: ground truth', nearest=True),
        ]
        for run in runs:
            label = sample.predictions.get(run.name)
            cells.append(
                _missing()
                if label is None
                else _embed(colorize(label, palette), f'{sample.name}: prediction of {run.name}', nearest=True)
            )
        if uncertain:
            entropy = sample.entropies.get(last)
            cells.append(_missing() if entropy is None else _embed(heat(entropy), f'{sample.name}: entropy of {last}'))
        parts.append(f'<div class="sample">{escape(sample.name)}</div>')
        parts += cells
    scale = _entropy_scale() if uncertain else ''
    return (
        f'<div class="scroll"><div class="pictures" style="--columns:{len(titles)}">{"".join(parts)}</div></div>{scale}'
    )


def class_legend(classes: Sequence[str], palette: np.ndarray) -> str:
    """Names and colours of the classes, and of what is ignored."""
    entries = [
        *((name, rgb(color)) for name, color in zip(classes, palette, strict=True)),
        ('not labelled', rgb((0, 0, 0))),
    ]
    items = ''.join(f'<li>{swatch(color)}{escape(name)}</li>' for name, color in entries)
    return f'<ul class="legend">{items}</ul>'


def _entropy_scale() -> str:
    """What the colours of the entropy maps mean."""
    ramp = heat(np.linspace(0, 1, 128, dtype=np.float32)[None])
    return f'<p class="scale">certain {_image(ramp, "colours from entropy 0 to 1", "ramp")} undecided</p>'


def _missing() -> str:
    """In place of a picture that a run does not have."""
    return '<div class="missing">\u2013</div>'


def _embed(picture: np.ndarray, text: str, nearest: bool = False) -> str:
    """An <img> of an RGB picture, at most MAX_WIDTH wide; small ones grow in whole pixels."""
    height, width = picture.shape[:2]
    if width > MAX_WIDTH:
        size: tuple[int, int] = (MAX_WIDTH, max(1, round(height * MAX_WIDTH / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST if nearest else cv2.INTER_AREA)
    return _image(picture, text, 'crisp' if width < SMALL else '')


def _image(picture: np.ndarray, text: str, kind: str) -> str:
    """An <img> that holds the picture."""
    height, width = picture.shape[:2]
    options: list[int] = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    _, content = cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    data = base64.b64encode(content.tobytes()).decode()
    return (
        f'<img class="{kind}" width="{width}" height="{height}" alt="{escape(text)}" title="{escape(text)}" '
        f'src="data:image/png;base64,{data}">'
    )
