"""Display of progress: a bar on a terminal, a line every few seconds in a log file, nothing on other ranks."""

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from .ranks import is_main_process

T = TypeVar('T')


def progress(items: Iterable[T], total: int, name: str, unit: str = 'images') -> Iterator[T]:
    """Yield items, and show how many are done, their rate and the remaining time.

    Args:
        items: Items to yield.
        total: Number of items.
        name: Name of the work.
        unit: Plural noun for the items, for the rate.
    """
    with ProgressDisplay(total, name, unit) as display:
        for item in items:
            yield item
            display.update(1)


class ProgressDisplay:
    """Display for the progress of work that is not a loop over items. Use it as a context.

    Args:
        total: Number of units.
        name: Name of the work.
        unit: Plural noun for the units.
        seconds_between_lines: Seconds between two lines if the output is not a terminal.
        file: Stream to write to; standard error by default.
        done: Number of units that an interrupted run has done before. They do not count for the rate.
    """

    def __init__(
        self,
        total: int,
        name: str,
        unit: str = 'images',
        seconds_between_lines: float = 10.0,
        file: TextIO | None = None,
        done: int = 0,
    ) -> None:
        self.total, self.name, self.unit, self.seconds_between_lines = total, name, unit, seconds_between_lines
        self.file = file or sys.stderr
        self.done = self._before = done
        self._bar: Progress | None = None

    def __enter__(self) -> 'ProgressDisplay':
        self._start = self._last_line = time.monotonic()
        if is_main_process() and self.file.isatty():
            self._bar = Progress(
                TextColumn('{task.description}'),
                BarColumn(),
                MofNCompleteColumn(),
                _RateColumn(self.unit),
                TimeRemainingColumn(),
                console=Console(file=self.file),
                redirect_stdout=sys.stdout.isatty(),  # prints must not overwrite the bar
            )
            self._bar.start()
            self._task = self._bar.add_task(self.name, total=self.total, completed=self.done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, count: int) -> None:
        """Add the number of units that were done since the last call."""
        self.done += count
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done)
        elif is_main_process():
            self._write_line()

    def _write_line(self) -> None:
        now = time.monotonic()
        if self.done < self.total and now - self._last_line < self.seconds_between_lines:
            return
        self._last_line = now
        rate = (self.done - self._before) / max(now - self._start, 1e-9)
        left = max(self.total - self.done, 0) / rate if rate else float('inf')
        self.file.write(f'{self.name}: {self.done}/{self.total}, {rate:.1f} {self.unit}/s, {left:.0f} s left\n')
        self.file.flush()


class _RateColumn(ProgressColumn):
    """Column with the units per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text('' if speed is None else f'{speed:.1f} {self.unit}/s')
