"""Files and command-line arguments with the names of classes, and their ids or colours."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmuda.constants import IGNORE_INDEX
from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE
from mmuda.datasets.label_tables import get_label_table, label_table_names
from mmuda.datasets.published_tables import OWN_CLASSES

from .label_values import Value

USUAL_NAMES = ('classes.txt', 'labelmap.txt', 'class_dict.csv', 'classes.csv', 'classes.json', 'label_colors.txt')
"""Usual names of files that list classes."""

FORMATS = (
    'one class a line: its name alone, in the order of the ids; or an id and a name; or a name and a colour as red, '
    'green, blue; or all of these. JSON: a list of names, {id: name}, or {name: [red, green, blue]}'
)

_HEADER = {
    'id',
    'ids',
    'name',
    'label',
    'class',
    'class_name',
    'r',
    'g',
    'b',
    'red',
    'green',
    'blue',
    'color',
    'colour',
}
_SEPARATORS = re.compile(r'[,;\t:]')


@dataclass(frozen=True)
class Entry:
    """A class.

    Attributes:
        name: Name of the class.
        value: Id in label files; None if only a name or a colour is given.
        colour: Red, green and blue; None if none is given.
    """

    name: str
    value: int | None = None
    colour: tuple[int, int, int] | None = None

    def key(self, colours: bool) -> Value | None:
        """Return the value of the class in label files, a colour or an id; None if it is not given.

        Args:
            colours: Whether label files hold colours.
        """
        return self.colour if colours else self.value


def read_classes(words: Sequence[str]) -> list[Entry]:
    """Read the classes that a command line names.

    Args:
        words: Names of classes, or the name of one file (see :data:`FORMATS`) or of one label table of mmuda.

    Raises:
        FileNotFoundError: If a single word looks like a file that does not exist.
        ValueError: If a file has another format, or names a value twice.
    """
    if len(words) > 1:
        return [Entry(word) for word in words]
    (word,) = words
    if is_table(words):
        return _of_table(word)
    path = Path(word).expanduser()
    if path.is_file():
        return read_class_file(path)
    if path.suffix.lower() in ('.txt', '.csv', '.json', '.tsv') or '/' in word:
        raise FileNotFoundError(
            f'--classes: the file {path} does not exist; or give names, or one of {", ".join(label_table_names())}'
        )
    return [Entry(word)]


def is_table(words: Sequence[str]) -> bool:
    """Return whether a command line names a label table of mmuda, such as ``train_ids``."""
    return len(words) == 1 and words[0] in label_table_names()


def _of_table(name: str) -> list[Entry]:
    meta = OWN_CLASSES.get(name, dict(classes=CITYSCAPES_CLASSES, palette=CITYSCAPES_PALETTE))
    classes = [(one, tuple(colour)) for one, colour in zip(meta['classes'], meta['palette'], strict=True)]
    pairs = get_label_table(name).pairs
    return [
        Entry('ignore', raw) if train == IGNORE_INDEX else Entry(classes[train][0], raw, classes[train][1])
        for raw, train in pairs
    ]


def read_class_file(path: Path) -> list[Entry]:
    """Read a file of :data:`FORMATS`.

    Raises:
        ValueError: If it is of another format, or names a value twice.
    """
    try:
        text = path.read_text(encoding='utf-8-sig')
        entries = _json(json.loads(text)) if path.suffix.lower() == '.json' else list(_lines(text))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f'{path} is no list of classes ({error}): expected {FORMATS}') from None
    if not entries:
        raise ValueError(f'{path} names no class: expected {FORMATS}')
    for what in ('value', 'colour'):
        values = [getattr(entry, what) for entry in entries if getattr(entry, what) is not None]
        twice = {value for value in values if values.count(value) > 1}
        if twice and not (what == 'colour' and all(entry.value is not None for entry in entries)):
            raise ValueError(f'{path} names {what} {", ".join(map(str, twice))} more than once')
        if values and len(values) < len(entries):
            without = next(entry.name for entry in entries if getattr(entry, what) is None)
            raise ValueError(f'{path}: {without!r} has no {what}, others have one: expected {FORMATS}')
    return entries


def find_class_file(folders: Iterable[Path]) -> Path | None:
    """Return the first file with a name of :data:`USUAL_NAMES` in one of the folders or its parent; None if none."""
    for folder in folders:
        for place in (folder, folder.parent):
            for name in USUAL_NAMES:
                if (place / name).is_file():
                    return place / name
    return None


def _lines(text: str) -> Iterable[Entry]:
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith('#'):
            continue
        entry = _entry(line)
        if entry is None:
            if number == 1:
                continue  # the header of a table
            raise ValueError(f'line {number}: {line!r}')
        yield entry


def _entry(line: str) -> Entry | None:
    """Return the class in a line of a file; None for the header of a table."""
    fields = [part.strip() for part in _SEPARATORS.split(line)] if _SEPARATORS.search(line) else line.split()
    if len(fields) > 1 and {part.lower() for part in fields if part} <= _HEADER:
        return None
    numbers = [part for part in fields if part.isdigit()]
    names = [part for part in fields if part and not part.isdigit()]
    if _SEPARATORS.search(line) and len(names) != 1:
        raise ValueError(f'{line!r} has {len(names)} names')
    if not names or len(numbers) not in (0, 1, 3, 4):
        raise ValueError(f'{line!r} has {len(numbers)} numbers and the name {" ".join(names)!r}')
    name, values = ' '.join(names), [int(number) for number in numbers]
    value = values.pop(0) if len(values) in (1, 4) else None
    return Entry(name, value, _colour(values) if values else None)


def _colour(values: Sequence[Any]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in values[:3])
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f'{list(values)} is no colour of 0..255')
    return red, green, blue


def _json(content: Any) -> list[Entry]:
    if isinstance(content, list):
        return [_item(item) for item in content]
    entries = []
    for key, value in content.items():
        if isinstance(value, (list, tuple)):
            entries.append(Entry(str(key), None, _colour(value)))
        elif isinstance(value, int):
            entries.append(Entry(str(key), value))
        else:
            entries.append(Entry(str(value), int(key)))
    return entries


def _item(item: Any) -> Entry:
    if isinstance(item, str):
        return Entry(item)
    value, colour = item.get('id'), item.get('color', item.get('colour'))
    return Entry(str(item['name']), None if value is None else int(value), None if colour is None else _colour(colour))
