"""Rows and sections of the report: an item, the value found, a verdict and a remedy."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from terminaltables import AsciiTable

from mmuda.checks import ERROR, WARNING, Finding

OK, SKIPPED = 'ok', 'skipped'

__all__ = ['ERROR', 'OK', 'SKIPPED', 'WARNING', 'Row', 'Section', 'count', 'row_of', 'size_of', 'some']

_NARROWEST, _FRAME = 100, 13
_UNITS = ('B', 'KiB', 'MiB', 'GiB', 'TiB')


@dataclass(frozen=True)
class Row:
    """One examined item.

    Attributes:
        item: Name of the item.
        found: The value that was found.
        verdict: ``'ok'``, ``'warning'``, ``'error'``, or ``'skipped'`` if it was not examined.
        remedy: A way to correct a problem, in one line.
    """

    item: str
    found: str
    verdict: str = OK
    remedy: str = ''


@dataclass
class Section:
    """A part of the report.

    Attributes:
        name: Title of the section.
        rows: Rows in the order in which they were found.
        facts: Plain values for ``--json`` that are in no row, such as numbers with all their digits.
        tables: Further tables by title; the first row of each is its header.
    """

    name: str
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)

    def add(self, item: str, found: str, verdict: str = OK, remedy: str = '') -> None:
        """Append a row."""
        self.rows.append(Row(item, found, verdict, remedy))

    def count(self, verdict: str) -> int:
        """Return the number of rows with a verdict."""
        return sum(row.verdict == verdict for row in self.rows)

    def text(self, width: int | None = None) -> str:
        """Return the section as tables.

        Args:
            width: Width of the text in characters; by default that of the terminal.
        """
        width = max(width or shutil.get_terminal_size((140, 40)).columns, _NARROWEST)
        lines = [['item', 'found', 'verdict', 'remedy']]
        lines += [[row.item, row.found, row.verdict, row.remedy] for row in self.rows]
        tables = [AsciiTable(_wrapped(lines, width), f' {self.name} ').table]
        tables += [f'{title}\n{AsciiTable(table).table}' for title, table in self.tables.items()]
        return '\n'.join(tables)

    def content(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return dict(name=self.name, rows=[asdict(row) for row in self.rows], facts=self.facts, tables=self.tables)


def row_of(finding: Finding) -> Row:
    """Return a finding about a config as a row."""
    expected = f', expected {finding.expected}' if finding.expected else ''
    return Row(finding.key, finding.found + expected, finding.level, finding.remedy)


def count(number: int, noun: str) -> str:
    """Return a number with thousands separated and its noun, in the plural if it is not one."""
    return f'{number:,} {noun}{"" if number == 1 else "s"}'


def size_of(number: float) -> str:
    """Return a number of bytes with its unit, such as ``1.5 GiB``."""
    for unit in _UNITS[:-1]:
        if abs(number) < 1024:
            return f'{number:.0f} {unit}' if unit == 'B' else f'{number:.1f} {unit}'
        number /= 1024
    return f'{number:.1f} {_UNITS[-1]}'


def some(names: Iterable[str], most: int = 6) -> str:
    """Return names as a text that lists at most ``most`` of them."""
    listed = list(names)
    more = f' and {len(listed) - most} more' if len(listed) > most else ''
    return ', '.join(listed[:most]) + more


def _wrapped(lines: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Break the texts of a table so that it is not wider than the terminal."""
    longest = [max(len(line[column]) for line in lines) for column in range(4)]
    item = min(longest[0], width // 3)
    left = width - _FRAME - item - longest[2]
    remedy = min(longest[3], max(left - longest[1], left * 2 // 5))
    widths = (item, max(left - remedy, 20), longest[2], max(remedy, len('remedy')))
    return [['\n'.join(textwrap.wrap(text, wide)) for text, wide in zip(line, widths, strict=True)] for line in lines]
