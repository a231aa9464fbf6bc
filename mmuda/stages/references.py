"""``'{rank}/easy.txt'``: a string in a stage's config that begins with the name of an earlier stage in braces."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_REFERENCE = re.compile(r'\{([^{}]+)\}')


def references(value: Any) -> Iterator[str]:
    """Names of all stages that a (nested) value refers to."""
    if isinstance(value, str):
        found = _REFERENCE.match(value)
        if found:
            yield found.group(1)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from references(item)


def resolve(value: Any, folders: Mapping[str, Path]) -> Any:
    """A copy of a (nested) value with each reference replaced by the folder of its stage.

    Args:
        value: Plain values, dicts, lists and tuples.
        folders: The folder by stage name.

    Raises:
        KeyError: If a name is unknown.
    """
    if isinstance(value, str):
        found = _REFERENCE.match(value)
        if not found:
            return value
        if found.group(1) not in folders:
            raise KeyError(f'{value!r} refers to a stage {found.group(1)!r}, there are {", ".join(folders)}')
        return str(folders[found.group(1)]) + value[found.end() :]
    if isinstance(value, Mapping):
        return type(value)({key: resolve(item, folders) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return type(value)(resolve(item, folders) for item in value)
    return value


def rename(value: Any, names: Mapping[str, str]) -> Any:
    """A copy of a (nested) value whose references by a short name use the full one; others stay as they are."""
    full = {name: f'{{{names[name]}}}' for name in references(value) if name in names}
    return resolve(value, {**{name: f'{{{name}}}' for name in references(value)}, **full})
