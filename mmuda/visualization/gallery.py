"""Pictures of training pairs, and an HTML page with all of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mmuda.files import write_atomically

from .pictures import Palette, check_palette
from .training_pictures import arrange

TEMPLATES = Path(__file__).parent / 'templates'


def write_gallery(
    folder: str | Path,
    title: str,
    entries: Iterable[tuple[str, dict[str, np.ndarray]]],
    classes: Sequence[str],
    palette: Palette,
    height: int = 256,
) -> Path:
    """Write a PNG file for each entry, and ``index.html``, which shows all of them and the colours of the classes.

    Args:
        folder: Folder of the files; existing files of the same names are replaced.
        title: Heading of the page.
        entries: For each file, its name without ending, and its pictures, (H, W, 3) uint8 RGB, by caption.
        classes: Names of the classes in the order of the train ids.
        palette: RGB colour of each class.
        height: Height of each picture in pixels.

    Returns:
        The path of the page.
    """
    folder = Path(folder)
    names = []
    for name, pictures in entries:
        picture = cv2.cvtColor(arrange(pictures, height), cv2.COLOR_RGB2BGR)
        write_atomically(folder / f'{name}.png', cv2.imencode('.png', picture)[1].tobytes())
        names.append(name)
    colors = ['rgb({}, {}, {})'.format(*color) for color in check_palette(palette).tolist()]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template('gallery.html.jinja').render(
        title=title, names=names, legend=list(zip(classes, colors, strict=True))
    )
    write_atomically(folder / 'index.html', page.encode('utf-8'))
    return folder / 'index.html'
