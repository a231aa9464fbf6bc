"""Command line of the tools: shared arguments, and messages of errors.

It is parsed before PyTorch and mmseg are loaded, so --help and mistakes are fast.
"""

import argparse
import ast
import gc
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

TRACEBACK = '--traceback'
STAGE = re.compile(r'\{[\w./-]+\}(/[\w./-]+)?')
"""The result of a stage. ``mmuda.stages.references`` resolves it; to import that here would take seconds."""

Result = TypeVar('Result')


class KeyValues(argparse.Action):
    """Parser of ``KEY=VALUE``: as mmengine's ``DictAction``, but values that contain dicts are Python literals."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Store the options of one argument, or exit with an error of the command line."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for option in [values] if isinstance(values, str) else values or ():
            key, sign, value = option.partition('=')
            if not sign:
                parser.error(f'{option_string}: expected KEY=VALUE, but got {option!r}')
            try:
                options[key] = read_value(value)
            except ValueError as error:
                parser.error(f'{option_string} {key}: cannot parse {value}: {error}')
        setattr(namespace, self.dest, options)


def read_value(text: str) -> Any:
    """Return the value of an option: a number, a bool, a text, or a list, tuple or dict of these.

    The name of a stage in braces, such as ``{inter}`` or ``{prior}/prior.npz``, is a text.

    Raises:
        ValueError: If brackets are not closed, or a dict is not written as in Python.
    """
    from mmengine.config import DictAction

    if STAGE.fullmatch(text):
        return text
    if '{' in text or 'dict(' in text:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            raise ValueError('write dicts as in Python, in quotes: a="{\'b\': 1}"') from None
    read = argparse.Namespace()
    try:
        DictAction(['--option'], 'values')(argparse.ArgumentParser(), read, [f'value={text}'])
    # mmengine asserts that brackets are closed, and never ends on a comma in brackets after a name, as in f(1,2).
    except (AssertionError, RecursionError):
        raise ValueError('close all brackets, and write lists as [1,2] and tuples as (1,2)') from None
    return read.values['value']


def config_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of a command that reads a config and may run in several processes.

    Args:
        description: Text of ``--help``; line breaks are kept.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=KeyValues,
        metavar='KEY=VALUE',
        help='override keys of the config; a key that does not exist is an error, +KEY=VALUE adds one',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return add_traceback(parser)


def add_traceback(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the option ``--traceback``, which :func:`run_command` reads, and return the parser."""
    parser.add_argument(TRACEBACK, action='store_true', help='show the traceback of an error')
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the parsed command line, and set ``LOCAL_RANK``, the number of this process on its machine."""
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def run_command(main: Callable[..., Result], *args: Any) -> Result:
    """Run a tool, or a part of it, and end with the message of an error.

    With ``--traceback`` in the command line the traceback is shown instead. Otherwise it is written to the log file of
    the run, if there is one already.

    Args:
        main: The function to run.
        *args: Its arguments.

    Raises:
        SystemExit: With the message of any exception.
    """
    gc.freeze()  # mmengine collects garbage for each data set, and would scan all loaded modules each time
    try:
        return main(*args)
    except Exception as error:
        if TRACEBACK in sys.argv[1:]:
            raise
        log, text = _write_to_log(error), message_of(error)
        where = f'the traceback is in {log} ({TRACEBACK} shows it)' if log else f'({TRACEBACK} shows it)'
        # In a list of files, one on each line, no text follows the last name.
        between = '\n' if '\n' in text else '; ' if log else ' '
        raise SystemExit(f'error: {text}{between}{where}') from None


def message_of(error: BaseException) -> str:
    """Return the message of an error, with the type of the error if the message has a single word or none."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    kind = type(error).__name__
    # The message of a bare KeyError or AssertionError is a name or empty, so the type is needed to understand it.
    return text if ' ' in text.strip() else f'{kind}: {text}' if text else kind


def _write_to_log(error: BaseException) -> str | None:
    """Append a traceback to the log file of the run, and return the file's name, or None if there is no log file."""
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
