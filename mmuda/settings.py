"""Comparison of settings that decide a result, as plain values."""

import copy
import hashlib
import json
from typing import Any

INDIFFERENT = {
    *('data_root', 'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'backend_args', 'cache_bytes')
}
"""Keys, at any depth, that only change the place of data and the speed of reading it."""


def comparable(settings: Any) -> Any:
    """Return settings as values that JSON has, without keys that cannot change a result (:data:`INDIFFERENT`)."""

    def plain(node: Any) -> Any:
        if isinstance(node, dict):
            return {str(key): plain(value) for key, value in node.items() if key not in INDIFFERENT}
        if isinstance(node, (list, tuple)):
            return [plain(value) for value in node]
        return node if node is None or isinstance(node, (bool, int, float, str)) else repr(node)

    return plain(copy.deepcopy(settings))


def settings_digest(settings: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of :func:`comparable` settings."""
    return hashlib.sha256(json.dumps(comparable(settings), sort_keys=True).encode()).hexdigest()[:16]


def differences(before: Any, now: Any, place: str = '') -> list[str]:
    """Return one line for each place where two comparable settings differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for key in sorted(set(before) | set(now))
            for line in differences(before.get(key), now.get(key), f'{place}.{key}' if place else key)
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = zip(before, now, strict=True)
        return [line for i, pair in enumerate(pairs) for line in differences(*pair, f'{place}.{i}')]
    return [] if before == now else [f'{place}: was {_short(before)}, is {_short(now)}']


def is_below(line: str, key: str) -> bool:
    """Return whether a line of :func:`differences` is about a key, or about one below it."""
    place = line.split(': ', 1)[0]
    return place == key or place.startswith(f'{key}.')


def shortened(lines: list[str], most: int = 10) -> list[str]:
    """Return the first lines of a list, and a line with the number of the others if there are more."""
    return lines[:most] + ([f'... and {len(lines) - most} more'] if len(lines) > most else [])


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f'{text[:77]}...'
