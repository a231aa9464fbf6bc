"""Values in label files, counted: class ids, or the colours that stand for classes."""

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
"""Labels that are read of a larger folder."""

MOST = 256
"""More ids or colours than these are no class labels."""

_SHOW_PROGRESS_FROM = 200
_FIRST = 16
_RARER, _NEAR, _COMPARED = 10, 2, 32
"""A mixture is that much rarer than both colours, that near to the line between them, and compared with so many."""

Value = int | tuple[int, int, int]
"""An id, or a colour (red, green, blue)."""


@dataclass
class LabelValues:
    """Values of labels.

    Attributes:
        total: Number of labels.
        read: Number of labels that were decoded.
        pixels: By value.
        files: Labels that show the value, by value.
        first: The first label that shows it, by value.
        channel: Number of the one channel, in RGB order, that holds ids, of files with several; None if there is one
            channel, all are equal, or values are colours.
        unreadable: Labels that cannot be decoded, with the reason.
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
        """The values, ids in ascending order, colours by their pixels."""
        if self.are_colours:
            return [value for value, _ in self.pixels.most_common()]
        return sorted(self.pixels)

    @property
    def are_colours(self) -> bool:
        """Whether values are colours."""
        return any(isinstance(value, tuple) for value in self.pixels)

    @property
    def mixtures(self) -> str:
        """A remark about colours that are mixed where regions touch; empty if most colours are none."""
        values = [value for value in self.values if isinstance(value, tuple)]
        mixed = [value for value in values if _is_mixture(value, self.pixels)]
        if 2 * len(mixed) <= len(values):
            return ''
        share = 100 * sum(self.pixels[value] for value in mixed) / self.pixels.total()
        files = ', '.join(shortened(sorted({self.first[value] for value in mixed}), 3))
        return (
            f'{len(mixed)} of {len(values)} colours, with {share:.2f} % of the pixels, lie between two others and '
            f'first appear in {files}: if they are mixtures at the edges of regions, write such labels without '
            'smoothing, or take them away'
        )

    @property
    def is_mask(self) -> bool:
        """Whether the values are those of masks of one class: 0 and 255, or 0 and 1."""
        return set(self.pixels) in ({0, 255}, {0, 1})

    @property
    def is_complete(self) -> bool:
        """Whether all labels were read."""
        return self.read == self.total


def count_values(paths: Sequence[str], labels: int | None = LABELS) -> LabelValues:
    """Count the values in label files.

    Files are read as trainings read them. Those of several channels that differ hold ids in one of them if the others
    are 0 (CARLA has them in red); otherwise they hold colours. A few files decide.

    Args:
        paths: Absolute names.
        labels: So many are read at most, spread over all; None reads all.

    Raises:
        OSError: If none can be read.
        ValueError: If there are more than :data:`MOST` values: colours at the edges of regions that are mixtures, or
            ids of instances.
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
    """Return whether a colour lies between two that are much more frequent."""
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
    """Return the channel that holds the ids of files with several, or None, and whether the files hold colours."""
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
    """Return the ids of a file, (H, W), or its first three channels if they differ."""
    data = read_image_bytes(path)
    try:
        return [decode_label(data, path)]
    except ValueError:
        return [decode_label(data, path, channel) for channel in range(3)]


def _count(pixels: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the values of a label, and the pixels of each; runs of equal values are counted as one."""
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
