"""Texts for the terminal about the images and labels of a data set."""

import os
from collections import Counter
from collections.abc import Sequence

from .classes import Classes
from .files import NO_IMAGE, LeftOut, suffixes_of
from .label_values import LabelValues
from .pairing import Pairing
from .reading import PLAIN, Reading
from .survey import Survey

_MARGIN = ' ' * 8
_VALUES = 40
_SHOWN_SIZES = 3


def about_images(name: str, pairing: Pairing, images: Survey, labels: Survey | None = None) -> str:
    """Return a text about a folder: numbers, sizes and formats of its images, and unused files with the reason.

    Args:
        name: Name of the data set.
        pairing: Its images and labels.
        images: Sizes and formats of the images.
        labels: Sizes and formats of the labels; None if there are none.
    """
    labelled = len(pairing.labels)
    told = f'{labelled:,} with labels in {_folder(pairing.labels)}' if labelled else 'without labels'
    lines = [f'{name:8s}{_folder(pairing.images)}: {len(pairing.pairs):,} images, {told}']
    lines.append(f'sizes   {_sizes(images)}')
    lines.append(f'images  {_formats(images)}')
    if labels is not None:
        lines.append(f'labels  {_formats(labels)}, as {pairing.pairs[0][1]}')
    if pairing.chosen:
        kinds = ', '.join(f'"{kind}" ({count})' for kind, count in pairing.chosen.most_common(3))
        lines.append(f'several labels for an image: those with {kinds} are used; --label-names PATTERN chooses others')
    lines += _left_out(pairing.left_out)
    return f'\n{_MARGIN}'.join(lines)


def _folder(files: Sequence[str]) -> str:
    """Return the deepest folder that holds all files."""
    return os.path.commonpath([os.path.dirname(file) for file in files])


def about_values(values: LabelValues, classes: Classes | None = None) -> str:
    """Return a table of label values, their pixels, and their classes.

    Args:
        values: The values.
        classes: Their classes, if they are known.
    """
    read = f'all {values.total:,} labels' if values.is_complete else f'{values.read:,} of {values.total:,} labels'
    what = 'colours' if values.are_colours else 'ids'
    where = '' if values.channel is None else f', in channel {values.channel} of the files (0 is red)'
    lines = [f'{len(values.pixels)} {what} in {read}{where}:']
    total = values.pixels.total()
    rows = [
        (
            ' '.join(map(str, value)) if isinstance(value, tuple) else str(value),
            f'{values.pixels[value]:,}',
            f'{100 * values.pixels[value] / total:.2f} %',
            f'{values.files[value]:,}',
            '' if classes is None else classes.name_of(value),
        )
        for value in values.values[:_VALUES]
    ]
    head = ('colour' if values.are_colours else 'id', 'pixels', 'share', 'labels', '' if classes is None else 'class')
    lines += _table([head, *rows])
    if len(values.pixels) > _VALUES:
        lines.append(f'... and {len(values.pixels) - _VALUES} more')
    if values.unreadable:
        path, reason = next(iter(values.unreadable.items()))
        lines.append(f'{len(values.unreadable)} labels cannot be read, such as {path}: {reason}')
    if classes is not None:
        lines += classes.notes
    return f'\n{_MARGIN}'.join(lines)


def proposals(values: LabelValues) -> list[str]:
    """Return lines with guesses about the meaning of the values, each with the option that confirms it."""
    told = []
    if values.is_mask:
        told.append(f'{" and ".join(map(str, values.values))} alone: masks of one class and its background')
    elif not values.are_colours:
        plain = {value for value in values.pixels if value != 255}
        if 255 in values.pixels:
            told.append('255 often means no class: --ignore 255')
        if 0 in values.pixels and len(plain) > 2:
            told.append('0 is a class, or means no class: --ignore 0')
        if len(plain) > 2 and max(plain) <= 18:
            told.append('these may be train ids of Cityscapes: --classes train_ids')
        elif len(plain) > 8 and 18 < max(plain) <= 33:
            told.append('these may be label ids of Cityscapes or GTA5: --classes cityscapes')
    elif values.mixtures:
        told.append(values.mixtures)
    return told


def _sizes(images: Survey) -> str:
    part = '' if images.looked_at == images.total else f', of {images.looked_at:,} files that were opened'
    counts = Counter(map(tuple, images.sizes.tolist())).most_common()
    if len(counts) == 1:
        return f'{_size(counts[0][0])}{part}'
    shown = ', '.join(f'{_size(size)} ({count:,})' for size, count in counts[:_SHOWN_SIZES])
    others = len(counts) - _SHOWN_SIZES
    more = f' and {others} other size{"s" if others > 1 else ""}' if others > 0 else ''
    return f'{shown}{more} (width x height){part}'


def _size(size: tuple[int, int]) -> str:
    return f'{size[0]}x{size[1]}'


def _formats(images: Survey) -> str:
    kinds = images.formats.most_common()
    return ', '.join(f'{kind[0]} {kind[1]}' + (f' ({count:,})' if len(kinds) > 1 else '') for kind, count in kinds)


def _left_out(left_out: LeftOut) -> list[str]:
    lines = []
    for reason, names in sorted(left_out.items(), key=lambda item: -len(item[1])):
        more = f' ({suffixes_of(names)})' if reason == NO_IMAGE else ''
        lines.append(f'not used: {len(names):,}, {reason}{more}, such as {sorted(names)[0]}')
    return lines


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        '  '.join([*(cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def hints(images: Survey, reading: Reading) -> list[str]:
    """Return hints about images whose pixels are neither 8-bit grey values nor 8-bit colours."""
    deep = Counter({kind: count for kind, count in images.formats.items() if kind[1] not in PLAIN})
    told = [f'{count:,} images are {kind[0]} {kind[1]}' for kind, count in deep.items()]
    if told and reading.options:
        told[-1] += f", read with dict(type='LoadDomainImage'{reading.options}): change that in pair.py"
    return [f'{line}; tools/browse.py shows them as a network gets them' for line in told]
