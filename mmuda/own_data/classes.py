"""Classes of a network, and the values in label files that stand for them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from mmuda.constants import IGNORE_INDEX

from .class_files import FORMATS, Entry
from .label_values import LabelValues, Value

IGNORE_NAMES = frozenset('ignore ignored unlabelled unlabeled void -'.split())
"""Names that stand for pixels without a class."""


@dataclass
class Classes:
    """Names of classes and the meaning of label values.

    Attributes:
        names: Names of the classes, by train id.
        table: Train id of each value; 255 is ignored.
        palette: Colour of each class; None if one is unknown.
        notes: Automatic decisions, as lines for the user.
    """

    names: tuple[str, ...]
    table: dict[Value, int]
    palette: tuple[tuple[int, int, int], ...] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def ignored(self) -> list[Value]:
        """Values that are ignored."""
        return [value for value, train in self.table.items() if train == IGNORE_INDEX]

    @property
    def are_colours(self) -> bool:
        """Whether the values are colours."""
        return any(isinstance(value, tuple) for value in self.table)

    def name_of(self, value: Value) -> str:
        """Return the name of the class of a value, for tables."""
        train = self.table.get(value)
        return '?' if train is None else '(ignored)' if train == IGNORE_INDEX else self.names[train]


def name_classes(entries: Sequence[Entry], values: LabelValues, ignore: Iterable[int] = ()) -> Classes:
    """Assign a class to each value in labels.

    Names without ids or colours are assigned to the ids in ascending order. If there are more names than ids, and all
    ids are below the number of names, the names have the ids 0, 1, 2, ... instead. A name that occurs twice is one
    class of two values. Every value must have a class or be ignored, by an entry with a name such as "ignore" or by
    ``ignore``.

    Args:
        entries: The classes.
        values: Values in the labels.
        ignore: Ids to ignore.

    Raises:
        ValueError: If the names do not fit the number of ids, a value has no class, labels of colours have classes
            without a colour, or there are fewer than two classes.
    """
    notes: list[str] = []
    ignored: set[Value] = set(ignore)
    keyed = [(entry.key(values.are_colours), entry) for entry in entries]
    if any(key is None for key, _ in keyed):
        if any(key is not None for key, _ in keyed) or values.are_colours:
            raise ValueError(_without_colours(values))
        keyed = list(zip(*_in_order(entries, values, ignored, notes), strict=True))
    table: dict[Value, int] = {}
    names: list[str] = []
    colours: dict[str, tuple[int, int, int] | None] = {}
    for key, entry in keyed:
        if key is None or key in ignored:
            continue
        if entry.name.lower() in IGNORE_NAMES:
            ignored.add(key)
            continue
        if entry.name not in names:
            names.append(entry.name)
            colours[entry.name] = entry.colour
        table[key] = names.index(entry.name)
    table.update(dict.fromkeys(ignored, IGNORE_INDEX))
    lost = [value for value in values.values if value not in table]
    if lost:
        raise ValueError(_without_class(lost, values))
    if len(names) < 2:
        raise ValueError(
            f'there is one class, {names}: a network needs two; name the background, too'
            if names
            else f'all values are ignored: no class is left; expected {FORMATS}'
        )
    unseen = [name for place, name in enumerate(names) if not any(table.get(value) == place for value in values.values)]
    if unseen:
        notes.append(f'not in the labels that were read: {", ".join(unseen)}')
    palette = [colour for colour in (colours[name] for name in names) if colour is not None]
    ordered = dict(sorted(table.items(), key=lambda item: (isinstance(item[0], tuple), item[1], item[0])))
    return Classes(tuple(names), ordered, tuple(palette) if len(palette) == len(names) else None, notes)


def seen_names(entries: Sequence[Entry], values: LabelValues) -> set[str]:
    """Return the names of the classes that occur in labels."""
    return {entry.name for entry in entries if entry.key(values.are_colours) in values.pixels}


def keep(entries: Sequence[Entry], names: Collection[str]) -> list[Entry]:
    """Return the classes, with all classes ignored that are not among ``names``."""
    return [entry if entry.name in names else Entry('ignore', entry.value, entry.colour) for entry in entries]


def ask_for_classes(values: LabelValues, ask: Callable[[str, str], str]) -> list[Entry]:
    """Ask the user for the name of each value, and return the classes.

    Args:
        values: Values in the labels.
        ask: Function of a question and its default answer that returns the answer of the user.
    """
    entries = []
    total = values.pixels.total()
    for value in values.values:
        share = 100 * values.pixels[value] / total
        default = f'class_{value}' if isinstance(value, int) else 'class_{}_{}_{}'.format(*value)
        if value == IGNORE_INDEX and not values.is_mask:
            default = 'ignore'
        elif values.is_mask:
            default = 'background' if value == 0 else 'foreground'
        question = f'class of {value} ({share:.1f} % of the pixels, in {values.files[value]} labels; "ignore" for none)'
        name = ask(question, default)
        colour = None if isinstance(value, int) else value
        entries.append(Entry(name, value if isinstance(value, int) else None, colour))
    return entries


def require_equal(source: Sequence[Entry], other: Sequence[Entry], which: str, one_table: bool = False) -> None:
    """Check that another data set has the classes of the source.

    Args:
        source: Classes of the source.
        other: Classes of the other data set.
        which: Name of the other data set, for the error.
        one_table: Whether the labels of both are read with the table of the source, so that the ids (or the order of
            names without ids) must be equal as well.

    Raises:
        ValueError: If they differ. The message shows both.
    """
    ours, theirs = (
        [entry for entry in entries if entry.name.lower() not in IGNORE_NAMES] for entries in (source, other)
    )
    names, others = ([entry.name for entry in entries] for entries in (ours, theirs))
    told = f'\n  source: {_listed(ours)}\n  {which}: {_listed(theirs)}\n'
    if set(names) != set(others):
        raise ValueError(
            f'source and {which} have different classes:{told}Give both the same names, and call a class that one of '
            'them lacks "ignore" in the other'
        )
    if not one_table:
        return
    remedy = 'If its labels have other ids, name them: --val-classes FILE'
    values = [{entry.name: entry.value for entry in entries} for entries in (ours, theirs)]
    if all(None not in one.values() for one in values):
        if values[0] != values[1]:
            raise ValueError(f'source and {which} have the same classes with other ids:{told}{remedy}')
    elif all(entry.value is entry.colour is None for entry in (*ours, *theirs)) and names != others:
        raise ValueError(f'source and {which} have different classes, in their order:{told}{remedy}')


def _listed(entries: Sequence[Entry]) -> str:
    return ', '.join(entry.name if entry.value is None else f'{entry.value} {entry.name}' for entry in entries)


def _in_order(
    entries: Sequence[Entry], values: LabelValues, ignored: set[Value], notes: list[str]
) -> tuple[list[Value], list[Entry]]:
    """Return the ids for names without ids, in ascending order, and the names."""
    ids = [value for value in values.values if value not in ignored]
    if values.is_mask and len(entries) == 1:
        notes.append(f'labels are masks: {ids[0]} is called background')
        return ids, [Entry('background'), *entries]
    if len(entries) > len(ids) and set(ids) <= set(range(len(entries))):
        notes.append(f'names have the ids 0 to {len(entries) - 1}, in their order')
        return list(range(len(entries))), list(entries)
    if len(entries) != len(ids):
        raise ValueError(
            f'there are {len(entries)} names ({", ".join(entry.name for entry in entries)}) for the {len(ids)} ids '
            f'{", ".join(map(str, ids))}' + _proposal(ids, len(entries)) + f'. Or --classes FILE, {FORMATS}'
        )
    return ids, list(entries)


def _proposal(ids: Sequence[Value], names: int) -> str:
    """Return a hint to ignore 0 or 255 (or both), if the names would then fit the ids; else ''."""
    for ignore in ([IGNORE_INDEX], [0], [0, IGNORE_INDEX]):
        rest = set(ids) - set(ignore)
        if set(ignore) <= set(ids) and (len(rest) == names or rest <= set(range(names))):
            told = ' '.join(map(str, ignore))
            return f': if {" and ".join(map(str, ignore))} means no class, add --ignore {told}'
    return ''


def _without_class(lost: Sequence[Value], values: LabelValues) -> str:
    total = values.pixels.total()
    told = ', '.join(f'{value} ({100 * values.pixels[value] / total:.2f} %)' for value in lost[:20])
    if values.are_colours:
        return (
            f'labels have {len(lost)} colours without a class: {told}. Name them in the file of --classes, as '
            '"NAME RED GREEN BLUE"; the name "ignore" stands for no class' + _remark(values)
        )
    return (
        f'labels have {len(lost)} ids without a class: {told}. Name them, or, if they mean no class, add '
        f'--ignore {" ".join(map(str, lost[:20]))}'
    )


def _without_colours(values: LabelValues) -> str:
    if not values.are_colours:
        return f'some classes have no id, others have one: expected {FORMATS}'
    lines = '\n'.join('  NAME {} {} {}'.format(*value) for value in values.values if isinstance(value, tuple))
    return (
        f'labels hold {len(values.pixels)} colours, so --classes needs a file with a line "NAME RED GREEN BLUE" for '
        f'each; the name "ignore" stands for no class:\n{lines}' + _remark(values)
    )


def _remark(values: LabelValues) -> str:
    return f'\n{values.mixtures}' if values.mixtures else ''
