"""Tables that map the ids or colours in label files to train ids, and the look-up arrays that are made from them."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from mmseg.utils import get_palette

from mmuda.constants import IGNORE_INDEX

from .classes import CITYSCAPES_PALETTE
from .colours import NUM_COLOURS, colour_number, colour_of

UNKNOWN = 254
"""Value in a look-up array for ids that its table does not have."""

NUM_RAW_IDS = 1 << 16

PALETTE_ENDING = '_palette'
"""``'NAME_palette'`` is the label table of the colours in mmseg's palette NAME."""

_SHOWN_COLOURS = 8


class LabelTable(NamedTuple):
    """A map from raw ids, the values in label files, to train ids, the classes in training.

    It is small, hashable and picklable, so that every sample can carry it to the worker processes.

    Attributes:
        name: Name of the table, for messages.
        pairs: (raw id 0..65535, train id 0..253 or 255), sorted by raw id. All other raw ids are unknown. In a table of
            colours, the raw id is the number ``0xRRGGBB``.
        colours: Whether the label files hold colours.
    """

    name: str
    pairs: tuple[tuple[int, int], ...]
    colours: bool = False

    @property
    def known(self) -> str:
        """The known raw ids as text, such as ``0-34, 255``, or the number of known colours and some of them."""
        if not self.colours:
            return ranges(raw for raw, _ in self.pairs)
        shown = ', '.join(str(colour_of(raw)) for raw, _ in self.pairs[:_SHOWN_COLOURS])
        return f'{len(self.pairs)} colours: {shown}{", ..." if len(self.pairs) > _SHOWN_COLOURS else ""}'

    @property
    def num_classes(self) -> int:
        """Smallest number of classes that includes all train ids."""
        return 1 + max((train for _, train in self.pairs if train != IGNORE_INDEX), default=-1)


def make_label_table(name: str, mapping: Mapping) -> LabelTable:
    """Make a label table of a mapping, and check it.

    Args:
        name: Name of the table, for messages.
        mapping: ``{raw id: train id}``, or ``{(red, green, blue): train id}`` for colour-coded labels. Train id 255
            means ignored. Raw id -1 means 255, because 8-bit files store -1 as 255. Keys can be texts, as in JSON
            files: ``'7'``, ``'#804080'`` or ``'128, 64, 128'``.

    Raises:
        ValueError: If the mapping is empty, an id is out of range or has two train ids, or ids and colours are mixed.
    """
    pairs: dict[int, int] = {}
    kinds = set()
    for key, value in mapping.items():
        try:
            colour = colour_number(key)
            raw, train = int(key) if colour is None else colour, int(value)
        except (TypeError, ValueError) as error:
            reason = str(error) if 'colour' in str(error) else f'{key!r}: {value!r} is not a pair of integers'
            raise ValueError(f'label table {name!r}: {reason}') from None
        kinds.add(colour is not None)
        raw = IGNORE_INDEX if raw == -1 else raw
        shown = raw if colour is None else colour_of(raw)
        if colour is None and not 0 <= raw < NUM_RAW_IDS:
            raise ValueError(f'label table {name!r}: raw id {raw} is not in 0..{NUM_RAW_IDS - 1}')
        if not (0 <= train < UNKNOWN or train == IGNORE_INDEX):
            raise ValueError(
                f'label table {name!r}: train id {train} of raw id {shown} is not in '
                f'0..{UNKNOWN - 1}; write {IGNORE_INDEX} for pixels to ignore'
            )
        if pairs.setdefault(raw, train) != train:
            raise ValueError(f'label table {name!r}: raw id {shown} is given twice, as {pairs[raw]} and {train}')
    if not pairs:
        raise ValueError(f'label table {name!r} is empty: give {{raw id: train id, ...}}')
    if len(kinds) > 1:
        raise ValueError(f'label table {name!r} has ids and colours: label files hold one or the other')
    return LabelTable(name, tuple(sorted(pairs.items())), kinds.pop())


def palette_table(name: str) -> LabelTable:
    """Return the table of label files that have the colours of one of mmseg's palettes, such as ``'cityscapes'``.

    Black is ignored unless a class has this colour. For Cityscapes, the other void colours are ignored as well.

    Args:
        name: One of mmseg's names: ``'cityscapes'``, ``'ade'``, ``'voc'``, ``'potsdam'``, ``'loveda'``, ...

    Raises:
        KeyError: If mmseg has no such palette.
    """
    try:
        palette = CITYSCAPES_PALETTE if name == 'cityscapes' else get_palette(name)
    except ValueError:
        raise KeyError(
            f'there is no label table {name + PALETTE_ENDING!r}, because mmseg has no palette {name!r}: give the '
            'colours, {(red, green, blue): train id, ...}'
        ) from None
    void = ((0, 0, 0), *(_CITYSCAPES_VOID if name == 'cityscapes' else ()))
    known = {tuple(colour): train for train, colour in enumerate(palette)}
    return make_label_table(name + PALETTE_ENDING, {**dict.fromkeys(void, IGNORE_INDEX), **known})


def identity_table(name: str, num_classes: int) -> LabelTable:
    """Return the table of label files that hold train ids, and 255 for ignored pixels."""
    return make_label_table(name, {**{n: n for n in range(num_classes)}, IGNORE_INDEX: IGNORE_INDEX})


def shifted_table(name: str, num_classes: int, *ignored: int) -> LabelTable:
    """Return the table of label files in which 0 is ignored and the first class is 1.

    Args:
        name: Name of the table, for messages.
        num_classes: Number of classes.
        *ignored: Raw ids that are ignored in addition to 0 and 255.
    """
    void = dict.fromkeys((0, *ignored, IGNORE_INDEX), IGNORE_INDEX)
    return make_label_table(name, {**void, **{n + 1: n for n in range(num_classes)}})


# Dynamic, ground, parking, rail track, guard rail, bridge, tunnel, polegroup, caravan, trailer. Licence plates have the
# colour of cars.
_CITYSCAPES_VOID = (
    (111, 74, 0),
    (81, 0, 81),
    (250, 170, 160),
    (230, 150, 140),
    (180, 165, 180),
    (150, 100, 100),
    (150, 120, 90),
    (153, 153, 153),
    (0, 0, 90),
    (0, 0, 110),
)

_TABLES: dict[str, LabelTable] = {}


def label_table_names() -> list[str]:
    """Return the sorted names of all registered label tables."""
    return sorted(_TABLES)


def register_label_table(name: str, mapping: Mapping) -> LabelTable:
    """Register a label table, so that data sets and transforms find it by its name.

    Args:
        name: Name to use in configs.
        mapping: As in :func:`make_label_table`.

    Raises:
        ValueError: If the mapping is not valid, or another table has this name.
    """
    return register_table(make_label_table(name, mapping))


def register_table(table: LabelTable) -> LabelTable:
    """Register a label table by its name.

    Raises:
        ValueError: If another table has this name.
    """
    if _TABLES.setdefault(table.name, table) != table:
        raise ValueError(
            f'there is another label table named {table.name!r}: choose a new name (taken: '
            f'{", ".join(label_table_names())})'
        )
    return table


def get_label_table(table: str | Mapping | LabelTable) -> LabelTable:
    """Return the label table of this name, or of a dict ``{raw id: train id}`` or ``{(red, green, blue): train id}``.

    Raises:
        KeyError: If the name is unknown.
        TypeError: If ``table`` is not a name, a dict or a label table.
        ValueError: If a dict is not a valid table.
    """
    if isinstance(table, LabelTable):
        return table
    if isinstance(table, str):
        if table not in _TABLES and table.endswith(PALETTE_ENDING):
            return palette_table(table.removesuffix(PALETTE_ENDING))
        if table not in _TABLES:
            raise KeyError(
                f'there is no label table {table!r}: choose one of '
                f"{', '.join(label_table_names())}, or a palette of mmseg such as 'cityscapes_palette', give a dict "
                '{raw id: train id} or {(red, green, blue): train id}, '
                'or call register_label_table'
            )
        return _TABLES[table]
    if isinstance(table, Mapping):
        return make_label_table('the one in the config', table)
    raise TypeError(f'a label table is a name or a dict {{raw id: train id}}, but got {type(table).__name__}')


@lru_cache(maxsize=64)
def lookup_array(
    table: LabelTable, unknown: int | None = None, label_map: tuple[tuple[int, int], ...] | None = None
) -> np.ndarray:
    """Return the look-up array from raw ids to the ids that a network is trained with.

    Args:
        table: Raw id -> train id.
        unknown: Train id for raw ids that the table does not have; None marks them with :data:`UNKNOWN`.
        label_map: Items of mmseg's ``label_map`` (train id -> id among the classes of the config), or None.

    Returns:
        (65536,) uint8, or (2^24,) uint8 for a table of colours. The array is cached in the process and read-only.

    Raises:
        ValueError: If the table gives a train id that the label map does not have.
    """
    trains = np.full(NUM_COLOURS if table.colours else NUM_RAW_IDS, UNKNOWN if unknown is None else unknown, np.uint8)
    raw, train = np.array(table.pairs).T
    trains[raw] = train
    if label_map is not None:
        lost = set(train.tolist()) - {old for old, _ in label_map} - {IGNORE_INDEX}
        if lost:
            raise ValueError(
                f'label table {table.name!r} gives the train ids {ranges(lost)}, but the data set '
                f'has the train ids {ranges(old for old, _ in label_map)}: map the others to 255'
            )
        chosen = np.arange(256, dtype=np.uint8)
        for old, new in label_map:
            chosen[old] = new
        trains = chosen[trains]
    trains.flags.writeable = False
    return trains


def ranges(ids: Iterable[int]) -> str:
    """Return numbers as text, with runs shortened: ``0-3, 7, 255``."""
    runs: list[list[int]] = []
    for number in sorted(set(ids)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ', '.join(str(first) if first == last else f'{first}-{last}' for first, last in runs)
