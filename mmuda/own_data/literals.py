"""Values as Python text that is safe in a config, whatever characters they contain."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

WIDTH = 120


def literal(value: Any) -> str:
    """Return the Python text of a plain value.

    mmengine replaces ``{{...}}`` before Python reads a config. A string with two adjacent braces is therefore split.
    """
    if isinstance(value, str):
        text = repr(value)
        apart = f'{text[0]} {text[0]}'  # one string ends and the next begins
        return re.sub(r'(?<=\{)(?=\{)|(?<=\})(?=\})', apart, text)
    if isinstance(value, tuple):
        inner = ', '.join(map(literal, value))
        return f'({inner},)' if len(value) == 1 else f'({inner})'
    return repr(value)


def wrapped_tuple(values: Iterable[Any]) -> str:
    """Return the text of a tuple, in several lines if it is too long for one."""
    return _wrapped('(', [literal(value) for value in values], ')')


def wrapped_dict(values: Mapping[Any, Any]) -> str:
    """Return the text of a dict, in several lines if it is too long for one."""
    return _wrapped('{', [f'{literal(key)}: {literal(value)}' for key, value in values.items()], '}')


def comment(text: str) -> str:
    """Return a text as lines of a comment."""
    return '\n'.join(f'# {line}' for line in textwrap.wrap(_one_line(text), WIDTH - 2, break_on_hyphens=False))


def _one_line(text: str) -> str:
    """Return a text without line breaks and other invisible characters, and without mmengine's double braces."""
    shown = ''.join(letter if letter.isprintable() else ' ' for letter in text)
    while '{{' in shown or '}}' in shown:
        shown = shown.replace('{{', '{ {').replace('}}', '} }')
    return shown


def _wrapped(start: str, items: list[str], end: str) -> str:
    line = start + ', '.join(items) + (',' if len(items) == 1 and start == '(' else '') + end
    if len(line) <= WIDTH - 20:
        return line
    lines, current = [], ''
    for item in items:
        if current and len(current) + len(item) + 3 > WIDTH - 5:
            lines.append(current)
            current = ''
        current += f'{item}, '
    return '\n'.join([start, *(f'    {part.rstrip()}' for part in [*lines, current]), end])
