"""The command line of the tools: arguments that they share, and how a mistake is told.

It is read before PyTorch and mmseg are loaded: --help, and a mistake, then take no seconds.
"""

import argparse
import ast
import gc
import logging
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

TRACEBACK = '--traceback'

Result = TypeVar('Result')


class KeyValues(argparse.Action):
    """Read ``KEY=VALUE`` as mmengine's ``DictAction`` does, and values with dicts in them as Python does."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Read the options of one argument; one that cannot be read is a mistake of the command line."""
        from mmengine.config import DictAction

        given = [values] if isinstance(values, str) else list(values or ())
        plain, dicts = [], {}
        for option in given:
            key, sign, value = option.partition('=')
            if not sign:
                parser.error(f'{option_string}: expected KEY=VALUE, but got {option!r}')
            if '{' in value:
                try:
                    dicts[key] = ast.literal_eval(value)
                except (ValueError, SyntaxError):
                    parser.error(
                        f'{option_string} {key}: {value} cannot be read; write dicts as Python does, in quotes'
                    )
            else:
                plain.append(option)
        DictAction(self.option_strings, self.dest)(parser, namespace, plain, option_string)
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), **dicts})


def config_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of a command that reads a config and may run in several processes.

    Args:
        description: Shown by ``--help``, with its line breaks.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=KeyValues,
        metavar='KEY=VALUE',
        help='override keys of the config; one that does not exist is an error, +KEY=VALUE adds it',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return add_traceback(parser)


def add_traceback(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add ``--traceback``, which :func:`run_command` reads."""
    parser.add_argument(TRACEBACK, action='store_true', help='show where an error comes from')
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line and tell PyTorch which process of its machine this one is."""
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def run_command(main: Callable[..., Result], *args: Any) -> Result:
    """Run a tool, or a part of it; an error is told by its message alone, unless the command line has ``--traceback``.

    The whole traceback is written to the log file of the run, if there is one by then.

    Args:
        main: The tool.
        *args: Its arguments.

    Raises:
        SystemExit: With the message, for any error.
    """
    gc.freeze()  # mmengine collects garbage for each data set, and would look through all that is loaded each time
    try:
        return main(*args)
    except Exception as error:
        if TRACEBACK in sys.argv[1:]:
            raise
        log, text = _write_to_log(error), message_of(error)
        where = f'the traceback is in {log} ({TRACEBACK} shows it)' if log else f'({TRACEBACK} shows it)'
        # Lists of files, one a line, have nothing behind the last name.
        between = '\n' if '\n' in text else '; ' if log else ' '
        raise SystemExit(f'error: {text}{between}{where}') from None


def message_of(error: BaseException) -> str:
    """Return what an error says, with its type if that is all there is to it."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    kind = type(error).__name__
    # A bare KeyError or AssertionError says a name or nothing: the type is a part of the message.
    return text if ' ' in text.strip() else f'{kind}: {text}' if text else kind


def _write_to_log(error: BaseException) -> str | None:
    """Append a traceback to the log file of the run; return its name, or None if nothing is logged to a file."""
    if 'mmengine.logging' not in sys.modules:
        return None
    from mmengine.logging import MMLogger

    handlers = MMLogger.get_current_instance().handlers
    files = [handler for handler in handlers if isinstance(handler, logging.FileHandler)]
    text = ''.join(traceback.format_exception(error))
    for handler in files:
        record = logging.LogRecord('mmuda', logging.ERROR, '', 0, text, None, None)
        handler.emit(record)
    return files[0].baseFilename if files else None
