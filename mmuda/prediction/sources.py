"""Images whose rows are read a few at a time."""

import numpy as np

from mmuda.datasets.image_windows import Window, WindowReader
from mmuda.datasets.transforms import LoadDomainImage


class ArraySource:
    """An image in memory.

    Args:
        image: (H, W, 3).
    """

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.size = image.shape[:2]

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return a view of some rows."""
        return self.image[start:stop]


class FileSource:
    """An image file from which only the requested rows are read.

    Args:
        load: Step of the pipeline that reads images.
        reader: Reader of windows of the file.
        path: The file.
    """

    def __init__(self, load: LoadDomainImage, reader: WindowReader, path: str) -> None:
        self.load, self.reader, self.path = load, reader, path
        self.size = reader.size

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return some rows (n, W, C) as the step of the pipeline reads them."""
        return self.load.read_window(self.reader, Window(start, stop, 0, self.size[1]), self.path)
