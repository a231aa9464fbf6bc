"""Findings: the mistakes in a config, as values. Checks return them, and callers raise or print them."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ERROR, WARNING = 'error', 'warning'

_STAGE = re.compile(r"stage '([^']+)': ")


@dataclass(frozen=True)
class Finding:
    """A mistake in a config.

    Attributes:
        key: Dotted place in the config, such as ``'train_cfg.max_iters'``.
        found: Short text of the value there, or of the problem.
        expected: The allowed values in words.
        remedy: A way to correct the mistake, if ``expected`` does not say it.
        level: :data:`ERROR` or :data:`WARNING`.
    """

    key: str
    found: str
    expected: str = ''
    remedy: str = ''
    level: str = ERROR

    def __str__(self) -> str:
        """Return key, found value, expected value and remedy in one line."""
        text = f'{self.key}: {self.found}'
        text += f', expected {self.expected}' if self.expected else ''
        return f'{text}; {self.remedy}' if self.remedy else text

    def below(self, place: str) -> 'Finding':
        """Return the same finding with ``place`` in front of its key."""
        return Finding(f'{place}{self.key}', self.found, self.expected, self.remedy, self.level)


class ConfigError(ValueError):
    """Mistakes in a config, one line each.

    Args:
        source: Name of the config.
        findings: The mistakes, at least one.
    """

    def __init__(self, source: str, findings: Iterable[Finding]) -> None:
        self.findings = list(findings)
        lines = [str(finding) for finding in self.findings]
        super().__init__(
            f'{source}: {lines[0]}'
            if len(lines) == 1
            else f'{source} has {len(lines)} mistakes:' + ''.join(f'\n  {line}' for line in lines)
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for a misspelt name: similar known names ('did you mean a or b?'), or else up to 25 known names."""
    names = sorted(set(known) - {'self', 'params', 'runner'})
    close = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    if close:
        return f'did you mean {" or ".join(close)}?'
    return f'known are {", ".join(names[:25])}{", ..." if len(names) > 25 else ""}' if names else 'it has no keys'


def unknown_key(place: str, key: str, owner: str, known: Iterable[str]) -> Finding:
    """Return the finding about a key that nothing reads.

    Args:
        place: Dotted place of the dict.
        key: The key.
        owner: Name of the component that reads the dict, for the message.
        known: The keys that this component reads.
    """
    return Finding(joined(place, key), f'{owner} has no key {key!r}', remedy=nearest(key, known))


def joined(place: str, key: Any) -> str:
    """Return the dotted name of a key of a dict or list."""
    return f'{place}.{key}' if place else str(key)


def dict_of(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the dict below a key; an empty one if there is none, or a value that another check reports."""
    value = node.get(key)
    return value if isinstance(value, Mapping) else {}


def short(value: Any) -> str:
    """Return the ``repr`` of a value in one line of at most 80 characters."""
    text = ' '.join(repr(value).split())
    return text if len(text) <= 80 else f'{text[:77]}...'


def of_stage(name: str) -> str:
    """Return the prefix of keys in the config of a stage (``"stage 'name': "``); '' if there is no stage."""
    return f'stage {name!r}: ' if name else ''


def split_stage(key: str) -> tuple[str, str]:
    """Split a key into the name of its stage ('' for none) and the key in the config of that stage."""
    match = _STAGE.match(key)
    return ('', key) if match is None else (match[1], key[match.end() :])


def one_line(error: Exception) -> str:
    """Return the message of an error without line breaks."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return ' '.join(str(text).split()) or type(error).__name__
