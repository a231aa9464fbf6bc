"""Start processes that have loaded PyTorch and mmseg already: they begin in half a second instead of six.

A server loads the packages below mmuda once and forks itself for each process, which imports mmuda itself. Tests of
signals, of kills and of what a fresh interpreter does start real commands.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent
_context = multiprocessing.get_context('forkserver')
_context.set_forkserver_preload(['mmseg.apis', 'mmseg.datasets', 'mmseg.models'])


def start(function: Callable[..., Any], *args: Any, log: Path, env: Mapping[str, str] | None = None) -> BaseProcess:
    """Start a process that calls a function of an importable module; its output goes to a file.

    Args:
        function: At the top level of a module in ``sys.path``.
        *args: Anything that is pickled.
        log: File for standard output and error.
        env: Its environment; that of this process by default. One thread unless it says otherwise.
    """
    before = os.environ.get('OMP_NUM_THREADS')
    os.environ['OMP_NUM_THREADS'] = '1'  # read when the server loads PyTorch, and a process with threads cannot fork
    try:
        process = _context.Process(
            target=_call, args=(function, args, log, {'OMP_NUM_THREADS': '1', **(os.environ if env is None else env)})
        )
        process.start()
    finally:
        if before is None:
            del os.environ['OMP_NUM_THREADS']
        else:
            os.environ['OMP_NUM_THREADS'] = before
    return process


def run_script(command: Sequence[str], cwd: str) -> None:
    """Run a Python file as the interpreter would, with arguments, in a working directory."""
    os.chdir(cwd)
    sys.argv = list(command)
    outside = [path for path in sys.path if path and not Path(path).resolve().is_relative_to(TESTS)]
    sys.path[:] = [str(Path(command[0]).resolve().parent), *outside]
    runpy.run_path(command[0], run_name='__main__')


def _call(function: Callable[..., Any], args: tuple, log: Path, env: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)
    multiprocessing.set_start_method(None, force=True)  # workers of data loaders start as in any program
    with open(log, 'ab') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        function(*args)
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing leaves without
