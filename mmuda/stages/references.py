"""References: strings in the config of a stage that begin with the name of an earlier stage, ``'{rank}/easy.txt'``."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_REFERENCE = re.compile(r'\{([^{}]+)\}')


def stage_of(value: str | None) -> str | None:
    """Return the name of the stage that a string refers to, or None if it is no reference."""
    found = _REFERENCE.match(value or '')
    return found.group(1) if found else None


def references(value: Any) -> Iterator[str]:
    """Yield the names of all stages that a (nested) value refers to."""
    if isinstance(value, str):
        name = stage_of(value)
        if name is not None:
            yield name
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from references(item)


def resolve(value: Any, folders: Mapping[str, Path]) -> Any:
    """Return a copy of a (nested) value with each reference replaced by the folder of its stage.

    Args:
        value: Plain values, dicts, lists and tuples.
        folders: Folder of each stage by its name.

    Raises:
        KeyError: If a name is unknown.
    """
    return _replaced(value, {name: str(folder) for name, folder in folders.items()})


def rename(value: Any, names: Mapping[str, str]) -> Any:
    """Return a copy of a (nested) value with short names in references replaced by full names; others are kept."""
    return _replaced(value, {name: f'{{{names.get(name, name)}}}' for name in references(value)})


def _replaced(value: Any, beginnings: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        found = _REFERENCE.match(value)
        if not found:
            return value
        if found.group(1) not in beginnings:
            raise KeyError(f'{value!r} refers to a stage {found.group(1)!r}, there are {", ".join(beginnings)}')
        return beginnings[found.group(1)] + value[found.end() :]
    if isinstance(value, Mapping):
        return type(value)({key: _replaced(item, beginnings) for key, item in value.items()})  # type: ignore[call-arg]
    if isinstance(value, (list, tuple)):
        return type(value)(_replaced(item, beginnings) for item in value)
    return value
