"""Keep long records of the log off the terminal; the log file has all of them."""

import logging
import sys
from collections.abc import Iterator

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
