"""Records of the log: which of them are shown on the terminal, and where."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.logging import MMLogger

from mmuda.internals import LONG_RECORDS


def quieten(logger: logging.Logger) -> None:
    """Hide the records of :data:`LONG_RECORDS`, which fill a screen or have no information, on the terminal."""
    for handler in stream_handlers(logger):
        if not any(isinstance(one, ShortRecords) for one in handler.filters):
            handler.addFilter(ShortRecords())


def write_through_stdout(logger: logging.Logger) -> None:
    """Make a logger write to the current standard output: a progress bar replaces it by a stream of its own."""
    for handler in stream_handlers(logger):
        handler.setStream(sys.stdout)


def stream_handlers(logger: logging.Logger) -> Iterator[logging.StreamHandler]:
    """Yield the handlers that write to the terminal."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            yield handler


class ShortRecords(logging.Filter):
    """Filter that hides records that begin like one of :data:`LONG_RECORDS`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is shown."""
        return not str(record.msg).startswith(LONG_RECORDS)


@contextmanager
def log_from(level: int) -> Iterator[None]:
    """Keep records below a level out of the log in a block: mmengine writes one for each initialised weight."""
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
