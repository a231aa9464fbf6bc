"""Borders of images in which predictions should not become pseudo labels, for each data set."""

from collections.abc import Mapping
from typing import NamedTuple


class Border(NamedTuple):
    """Widths of the border at the four edges of an image.

    Attributes:
        top: Number of rows.
        bottom: Number of rows.
        left: Number of columns.
        right: Number of columns.
        size: (H, W) of the images in which these are counted. For images of another size the numbers are scaled. None
            applies them unscaled to images of any size.
    """

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0
    size: tuple[int, int] | None = None

    def of(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Return the rows and columns of an image inside of the border.

        Args:
            shape: (H, W) of the image, which can be a smaller copy of the published one.
        """
        (height, width), (full_height, full_width) = shape, self.size or shape
        top, bottom = (round(rows * height / full_height) for rows in (self.top, self.bottom))
        left, right = (round(columns * width / full_width) for columns in (self.left, self.right))
        return slice(top, max(top, height - bottom)), slice(left, max(left, width - right))


UNTRUSTED_BORDERS: Mapping[str, Border] = dict(
    # Rectification leaves a rim, and the bonnet of the ego vehicle covers the rows at the bottom (HRDA, MIC).
    cityscapes=Border(top=30, bottom=240, left=30, right=30, size=(1024, 2048)),
    # DAFormer leaves out rows only: 15 at the top and 120 at the bottom, at half size.
    cityscapes_rows=Border(top=30, bottom=240, size=(1024, 2048)),
    # The same rows of a crop of DAFormer, of any data set: `LoadTrustedPixels(border='crop_rows', of='crop')`.
    crop_rows=Border(top=15, bottom=120),
)
"""Borders by the name that ``LoadTrustedPixels(border=...)`` takes."""


def get_border(border: str | Mapping | Border) -> Border:
    """Return the border of this name, or with these numbers.

    Args:
        border: A key of :data:`UNTRUSTED_BORDERS`, a dict with fields of :class:`Border`, or a border.

    Raises:
        ValueError: If there is no such name or field, or a number is negative.
    """
    if isinstance(border, str):
        if border not in UNTRUSTED_BORDERS:
            raise ValueError(f'border={border!r}, expected one of {sorted(UNTRUSTED_BORDERS)}, or dict(top=..., ...)')
        return UNTRUSTED_BORDERS[border]
    if isinstance(border, Mapping):
        unknown = set(border) - set(Border._fields)
        if unknown:
            raise ValueError(f'border has the keys {sorted(unknown)}, expected some of {list(Border._fields)}')
        border = Border(**border)
    if min(border[:4]) < 0:
        raise ValueError(f'border={border}, expected numbers of pixels that are not negative')
    return border
