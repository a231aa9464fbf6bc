"""How far a long work over images is."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from mmengine.dist import is_main_process

Item = TypeVar('Item')


def progress(
    items: Iterable[Item], total: int, what: str, every: float = 10.0, file: TextIO | None = None
) -> Iterator[Item]:
    """Pass items on and show how many there were, images per second and the time that is left.

    A bar where somebody watches, a line every few seconds in a log file, nothing on other ranks.

    Args:
        items: What is passed on.
        total: How many there will be.
        what: For the line.
        every: Seconds between two lines of a log.
        file: Where to; standard error by default.
    """
    file = file or sys.stderr
    watched = file.isatty()
    start = shown = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if is_main_process() and (done == total or now - shown >= (0.2 if watched else every)):
            shown = now
            speed = done / max(now - start, 1e-9)
            line = f'{what}: {done}/{total}, {speed:.1f} images/s, {(total - done) / speed:.0f} s left'
            if watched:
                filled = 30 * done // total
                file.write(f'\r[{"#" * filled}{"." * (30 - filled)}] {line}   ' + '\n' * (done == total))
            else:
                file.write(line + '\n')
            file.flush()
