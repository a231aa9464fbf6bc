"""Functions of test files, run on several processes that form a gloo group."""

import importlib.util
import inspect
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from preloaded import start

PATIENCE = 300
"""Time limit in seconds for processes that may wait for each other."""


def run_on_processes(function: Callable[..., Any], folder: Path, *args: Any, count: int = 2) -> list[Any]:
    """Call ``function(rank, *args)`` on every process of a gloo group and return the results by rank.

    Args:
        function: A function at the top level of a test file. Every process loads this file by its path.
        folder: An empty folder for the store of the group, arguments, results and logs.
        *args: Arguments that ``torch.save`` can write.
        count: Number of processes.

    Raises:
        AssertionError: If a process fails or `PATIENCE` seconds pass. The message holds the end of each log.
    """
    folder = Path(folder) / function.__name__
    folder.mkdir()
    torch.save(args, folder / 'args.pth')
    logs = [folder / f'log{rank}.txt' for rank in range(count)]
    env = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=os.pathsep.join(sys.path))
    task = (str(inspect.getsourcefile(function)), function.__name__, str(folder))
    running = []
    try:
        for rank, log in enumerate(logs):
            running.append(start(_main, *task, rank, count, log=log, env=env))
        codes = _wait(running)
    finally:
        for process in running:
            process.kill()
            process.join()
    ends = (f'exit status {code}:\n{log.read_text()[-3000:]}' for code, log in zip(codes, logs, strict=True))
    assert codes == [0] * count, '\n'.join(ends)
    return [torch.load(folder / f'result{rank}.pth', weights_only=True) for rank in range(count)]


def _wait(running: list[BaseProcess]) -> list[int | None]:
    """Wait until all processes end, one fails or `PATIENCE` seconds pass; return exit statuses, None if running."""
    began = time.monotonic()
    while True:
        codes = [process.exitcode for process in running]
        if None not in codes or any(codes) or time.monotonic() - began > PATIENCE:
            return codes
        time.sleep(0.05)


def _main(source: str, name: str, folder: str, rank: int, count: int) -> None:
    from mmuda.engine.distributed import leave_at_exit

    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=count)
    leave_at_exit()
    spec = importlib.util.spec_from_file_location(Path(source).stem, source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    result = getattr(module, name)(rank, *torch.load(f'{folder}/args.pth', weights_only=False))
    torch.save(result, f'{folder}/result{rank}.pth')
    dist.barrier()  # no process leaves while another may still receive from it
