"""Keep records of the log off the terminal, or out of the log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.logging import MMLogger

from mmuda.internals import LONG_RECORDS


def quieten(logger: logging.Logger) -> None:
    """Keep records that fill a screen or say nothing off the terminal."""
    for handler in stream_handlers(logger):
        if not any(isinstance(one, ShortRecords) for one in handler.filters):
            handler.addFilter(ShortRecords())


def write_through_stdout(logger: logging.Logger) -> None:
    """Let a logger write to what standard output is now: a bar on the terminal puts its own stream there."""
    for handler in stream_handlers(logger):
        handler.setStream(sys.stdout)


def stream_handlers(logger: logging.Logger) -> Iterator[logging.StreamHandler]:
    """Return the handlers that write to the terminal."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            yield handler


class ShortRecords(logging.Filter):
    """Passes records that do not begin as those of :data:`LONG_RECORDS`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is shown."""
        return not str(record.msg).startswith(LONG_RECORDS)


@contextmanager
def log_from(level: int) -> Iterator[None]:
    """Keep records below a level out of the log inside: mmengine writes one for each weight that is initialised."""
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
