"""Counts of the values in label files: class ids, or colours that stand for classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmuda.datasets.colours import colour_of
from mmuda.datasets.image_files import read_image_bytes
from mmuda.datasets.label_files import decode_label
from mmuda.progress import progress
from mmuda.settings import shortened

from .survey import evenly

LABELS = 500
"""Largest number of labels that are read."""

MOST = 256
"""Largest number of different ids or colours. Files with more are no class labels."""

_SHOW_PROGRESS_FROM = 200
_FIRST = 16
_RARER, _NEAR, _COMPARED = 10, 2, 32
"""Conditions for a mixture of two colours: both are at least this many times more frequent; its distance from the line
between them is at most this; and only this number of the most frequent colours are compared."""

Value = int | tuple[int, int, int]
"""An id, or a colour (red, green, blue)."""


@dataclass
class LabelValues:
    """Counts of the values in labels.

    Attributes:
        total: Number of labels.
        read: Number of labels that were read, unreadable ones included.
        pixels: Number of pixels by value.
        files: Number of labels with the value, by value.
        first: The first label with the value, by value.
        channel: Index of the channel that holds the ids (0 is red), if files have several channels and the others are
            0. None if files have one channel, all channels are equal, or values are colours.
        unreadable: Reasons why labels cannot be decoded, by file.
    """

    total: int
    read: int
    pixels: Counter = field(default_factory=Counter)
    files: Counter = field(default_factory=Counter)
    first: dict[Value, str] = field(default_factory=dict)
    channel: int | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> list[Value]:
        """The values: ids in ascending order, or colours by descending number of pixels."""
        if self.are_colours:
            return [value for value, _ in self.pixels.most_common()]
        return sorted(self.pixels)

    @property
    def are_colours(self) -> bool:
        """Whether values are colours."""
        return any(isinstance(value, tuple) for value in self.pixels)

    @property
    def mixtures(self) -> str:
        """A remark on colours that are mixtures of those of adjacent regions; empty unless more than half are."""
        values = [value for value in self.values if isinstance(value, tuple)]
        mixed = [value for value in values if _is_mixture(value, self.pixels)]
        if 2 * len(mixed) <= len(values):
            return ''
        share = 100 * sum(self.pixels[value] for value in mixed) / self.pixels.total()
        files = ', '.join(shortened(sorted({self.first[value] for value in mixed}), 3))
        return (
            f'{len(mixed)} of {len(values)} colours, with {share:.2f} % of the pixels, lie between two others and '
            f'first appear in {files}: if they are mixtures at the edges of regions, write such labels without '
            'smoothing, or remove them'
        )

    @property
    def is_mask(self) -> bool:
        """Whether labels are masks of one class: their values are 0 and 255, or 0 and 1."""
        return set(self.pixels) in ({0, 255}, {0, 1})

    @property
    def is_complete(self) -> bool:
        """Whether all labels were read."""
        return self.read == self.total


def count_values(paths: Sequence[str], labels: int | None = LABELS) -> LabelValues:
    """Count the values in label files.

    Files are read as in a training. Files with several different channels hold ids if only one channel is not 0 (the
    red one in CARLA), and colours otherwise. Up to 16 files, evenly spread, decide this for all.

    Args:
        paths: Absolute paths.
        labels: Largest number of labels to read, evenly spread over all; None reads all.

    Raises:
        OSError: If no label can be read.
        ValueError: If there are more than :data:`MOST` values, such as mixed colours at the edges of regions, or ids of
            instances.
    """
    chosen = evenly(paths, labels)
    found = LabelValues(len(paths), len(chosen))
    channel, colours = _kind_of(evenly(chosen, _FIRST))
    looked_at = progress(chosen, len(chosen), 'labels') if len(chosen) >= _SHOW_PROGRESS_FROM else chosen
    for path in looked_at:
        try:
            pixels = decode_label(read_image_bytes(path), path, channel, colours)
        except (OSError, ValueError) as error:
            found.unreadable[path] = str(error)
            continue
        codes, counts = _count(pixels)
        values = list(map(colour_of, codes)) if colours else codes
        found.pixels.update(dict(zip(values, counts, strict=True)))
        found.files.update(values)
        found.first.update({value: path for value in values if value not in found.first})
        if len(found.pixels) > MOST:
            raise ValueError(_too_many(found, path))
    if not found.pixels:
        path, reason = next(iter(found.unreadable.items()))
        raise OSError(f'none of the {len(chosen)} labels can be read; {path}: {reason}')
    found.channel = channel
    return found


def _is_mixture(colour: tuple[int, int, int], pixels: Counter) -> bool:
    """Return whether a colour lies between two other colours that are much more frequent."""
    frequent = [value for value, count in pixels.most_common(_COMPARED) if count >= _RARER * pixels[colour]]
    if len(frequent) < 2:
        return False
    known = np.array(frequent, np.float64)
    ways = known[None] - known[:, None]  # (from, to, channels)
    lengths = (ways**2).sum(axis=2)
    start = np.array(colour) - known[:, None]
    part = (start * ways).sum(axis=2) / np.maximum(lengths, 1)
    apart = np.sqrt(((start - part[..., None] * ways) ** 2).sum(axis=2))
    return bool(((lengths > 0) & (part > 0) & (part < 1) & (apart <= _NEAR)).any())


def _kind_of(paths: Sequence[str]) -> tuple[int | None, bool]:
    """Return the channel that holds the ids (see :class:`LabelValues`), and whether the files hold colours."""
    several = grey = False
    filled: set[int] = set()
    for path in paths:
        try:
            channels = _channels(path)
        except (OSError, ValueError):
            continue
        if len(channels) == 1:
            grey |= bool(channels[0].any())
        else:
            several = True
            filled |= {place for place, ids in enumerate(channels) if ids.any()}
    if several and not grey and len(filled) == 1:
        return filled.pop(), False
    return None, several


def _channels(path: str) -> list[np.ndarray]:
    """Return a list of the ids (H, W) of a file, or of its first three channels if they differ."""
    data = read_image_bytes(path)
    try:
        return [decode_label(data, path)]
    except ValueError:
        return [decode_label(data, path, channel) for channel in range(3)]


def _count(pixels: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the values of a label, and the number of pixels of each.

    Runs of equal values are found first, so that only one value of each is sorted.
    """
    flat = np.ascontiguousarray(pixels).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.append(starts, flat.size))
    values, places = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(places, weights=lengths).astype(np.int64)
    return values.tolist(), counts.tolist()


def _too_many(found: LabelValues, path: str) -> str:
    seen = len(found.files)
    if found.are_colours:
        rare = sum(count < found.pixels.total() / 1000 for count in found.pixels.values())
        return (
            f'{path}: labels have more than {MOST} colours ({seen} up to here, {rare} of which have less than a '
            'thousandth of the pixels): colours were mixed where regions touch, by scaling or by JPEG, or these are '
            'images. Write labels without smoothing, or give other files: --labels DIR, --label-names PATTERN'
        )
    return (
        f'{path}: labels have more than {MOST} ids ({seen} up to here, the greatest is {max(found.pixels)}): these are '
        'ids of instances or depths, or images. Give the files of the classes: --labels DIR, --label-names PATTERN'
    )
