"""Files that are written for each predicted image."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from mmuda.constants import IGNORE_INDEX
from mmuda.files import whole_file, write_atomically
from mmuda.png_rows import PNGRows
from mmuda.visualization import colorize, legend_picture

from .classes import Classes
from .formats import ServerFormat
from .windows import Band

LABELS, OVERLAYS, CONFIDENCE = 'labels', 'overlays', 'confidence'
OWN_IDS = 'own_ids'
"""Folder of label maps whose values are the user's own ids."""
LEGEND = 'legend.png'
"""Picture of the colours of the classes, beside the folders."""
LONGEST_SIDE = 4096
"""Longest side of overlays, in pixels. Overlays of larger images show every n-th pixel."""
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Outputs:
    """The files that are written for each image, and their folder.

    Attributes:
        folder: Output folder.
        classes: Names and colours of the train ids.
        palette: Whether label maps have a palette of the colours, for viewers. Their pixel values are ids either way.
        overlay: Whether to write JPEG files of the image with the colours of the classes over it, and one legend.
        confidence: Whether to write PNG files of 255 times the probability of the predicted class.
        server: Format of a test server for the label maps; None writes train ids.
        ids: Values of the label maps by train id, in [0, 255], see :func:`~mmuda.prediction.own_ids`; None writes train
            ids. Label maps with own ids are in a folder of their own.

    Raises:
        ValueError: If there are both ``server`` and ``ids``.
    """

    folder: Path
    classes: Classes
    palette: bool = True
    overlay: bool = False
    confidence: bool = False
    server: ServerFormat | None = None
    ids: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.server is not None and self.ids is not None:
            raise ValueError('label maps have the format of a server or own ids, not both: give server or ids')

    def paths(self, name: str) -> dict[str, Path]:
        """Return the files of an image by kind: the label map, and the overlay and confidence map if they are written.

        Args:
            name: Name of the image, without suffix.
        """
        if self.server is None:
            label = self.folder / (LABELS if self.ids is None else OWN_IDS) / f'{name}.png'
        else:
            label = self.folder / self.server.folder / f'{self.server.file_name(PurePosixPath(name).name)}.png'
        found = {LABELS: label}
        if self.overlay:
            found[OVERLAYS] = self.folder / OVERLAYS / f'{name}.jpg'
        if self.confidence:
            found[CONFIDENCE] = self.folder / CONFIDENCE / f'{name}.png'
        return found

    def check_names(self, names: Mapping[str, str]) -> None:
        """Check that no two images have the same file for their label maps, as is possible in a format without folders.

        Args:
            names: Image files by name.

        Raises:
            ValueError: If two have the same file. The message names both images.
        """
        taken: dict[Path, str] = {}
        for name, image in names.items():
            first = taken.setdefault(self.paths(name)[LABELS], image)
            if first != image:
                raise ValueError(
                    f'{first} and {image} would both be written to {self.paths(name)[LABELS]}: this format has one '
                    'folder for all images, so predict images of the same name into different --out folders'
                )

    def write(self, name: str, size: tuple[int, int], bands: Iterable[Band]) -> np.ndarray:
        """Write the files of an image. They appear together when all are complete.

        Args:
            name: Name of the image.
            size: (height, width) of the image.
            bands: Rows of the prediction, from the top.

        Returns:
            Number of pixels by train id, (C,) int64.
        """
        paths = self.paths(name)
        count = len(self.classes.names)
        counts = np.zeros(count, np.int64)
        overlay = _Overlay(size, self.classes) if self.overlay else None
        table = self._table()
        palette = self._palette() if self.palette and self.server is None else None
        with ExitStack() as stack:
            label = _rows_file(stack, paths[LABELS], size, palette)
            sure = _rows_file(stack, paths[CONFIDENCE], size) if self.confidence else None
            for band in bands:
                counts += np.bincount(band.label.ravel(), minlength=count)
                label.write(band.label if table is None else cv2.LUT(band.label, table))
                if sure is not None and band.confidence is not None:
                    sure.write(np.rint(255 * band.confidence).astype(np.uint8))
                if overlay is not None:
                    overlay.add(band)
            if overlay is not None:
                write_atomically(paths[OVERLAYS], overlay.jpeg())
        return counts

    def write_legend(self) -> None:
        """Write a picture of the names and colours of the classes, if there are overlays."""
        if not self.overlay:
            return
        picture = legend_picture(self.classes.names, self.classes.palette)
        write_atomically(
            self.folder / LEGEND, cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
        )

    def _table(self) -> np.ndarray | None:
        """Return the values of label maps by train id, (256,) uint8; None if they are train ids."""
        if self.server is not None:
            return self.server.table(self.classes.names)
        if self.ids is None:
            return None
        table = np.full(256, IGNORE_INDEX, np.uint8)
        table[: len(self.ids)] = self.ids
        return table

    def _palette(self) -> np.ndarray:
        """Return the RGB colours by value of the label maps, (V, 3) uint8."""
        colours = np.asarray(self.classes.palette, np.uint8)
        if self.ids is None:
            return colours
        found = np.zeros((max(self.ids) + 1, 3), np.uint8)
        found[list(self.ids)] = colours
        return found


def _rows_file(stack: ExitStack, path: Path, size: tuple[int, int], palette: np.ndarray | None = None) -> PNGRows:
    draft = stack.enter_context(whole_file(path))
    file = stack.enter_context(open(draft, 'wb'))
    return stack.enter_context(PNGRows(file, size, palette))


class _Overlay:
    """The mean of the image and the colours of its classes, reduced in size if it is large.

    Args:
        size: (height, width) of the image.
        classes: Names and colours.
    """

    def __init__(self, size: tuple[int, int], classes: Classes) -> None:
        self.step = -(-max(size) // LONGEST_SIDE)
        self.classes = classes
        self.picture = np.empty((-(-size[0] // self.step), -(-size[1] // self.step), 3), np.uint8)

    def add(self, band: Band) -> None:
        """Paint some rows."""
        first = -(-band.top // self.step)  # the first row that is shown
        rows = slice(first * self.step - band.top, None, self.step)
        label = np.ascontiguousarray(band.label[rows, :: self.step])
        if not label.size:
            return
        colours = colorize(label, self.classes.palette)[..., ::-1]
        image = as_picture(band.picture[rows, :: self.step])
        self.picture[first : first + len(label)] = cv2.addWeighted(image, 0.5, np.ascontiguousarray(colours), 0.5, 0)

    def jpeg(self) -> bytes:
        """Return the overlay as a JPEG file."""
        return cv2.imencode('.jpg', self.picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def as_picture(image: np.ndarray) -> np.ndarray:
    """Return an image as (H, W, 3) uint8: its first three channels, or else the first one three times.

    Args:
        image: (H, W) or (H, W, K). Values of other types than uint8 are clipped to [0, 255].
    """
    image = image[..., None] if image.ndim == 2 else image
    image = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    if image.dtype != np.uint8:
        image = np.nan_to_num(image).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(image)
