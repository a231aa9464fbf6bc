"""Training and tests of all runs of a comparison, one or several at a time."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import torch

from .commands import Commands, last_lines
from .ledger import RunLedger
from .results import main_measure
from .runs import Run

CODE = ('configs', 'mmuda', 'projects', 'tools')
"""Folders in which a new file can change a training, also before git knows it."""


class Comparison:
    """Calls of ``tools/train.py`` and ``tools/test.py`` for each method and seed whose results are not in the ledger.

    A comparison can be interrupted at any time. If it is started again, it keeps finished runs and resumes interrupted
    trainings. A run that fails does not stop the others.

    Args:
        runs: All runs.
        ledger: State of the runs.
        tools: Folder of the scripts.
        statistics: Batch-norm statistics to test with, of :data:`STATISTICS`.
        jobs: Number of runs at a time. Each has its own GPU if there are enough.
        say: Function that shows a line to the user.

    Raises:
        RuntimeError: If a run was begun with other settings.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        ledger: RunLedger,
        tools: Path,
        statistics: Sequence[str],
        jobs: int = 1,
        say: Callable[[str], None] = print,
    ) -> None:
        self.runs, self.ledger, self.tools, self.jobs, self.say = runs, ledger, tools, jobs, say
        self.statistics = statistics
        self.failures: dict[str, str] = {}
        self._done = 0
        self._commit = commit_of(tools)
        for run in runs:
            ledger.check(run)
            self._wanted(run)  # a network that cannot be built is an error before anything starts

    def execute(self, inherited: Sequence[int] = ()) -> None:
        """Train and test all runs that are not finished. ``failures`` then has the errors by the name of the run.

        Args:
            inherited: File descriptors that the started processes inherit.
        """
        commands = Commands(inherited)
        devices: SimpleQueue[dict[str, str]] = SimpleQueue()
        for slot in range(self.jobs):
            devices.put({**_import_path(), **_device(slot)})

        def work(run: Run) -> None:
            device = devices.get()
            try:
                self._execute(run, commands, device)
            except InterruptedError:
                return
            except (OSError, RuntimeError, ValueError) as error:
                self.failures[run.name] = str(error)
                self.say(f'{run.name} failed: {error}')
            finally:
                devices.put(device)

        with ThreadPoolExecutor(self.jobs) as pool, _stopped_by_errors(commands):
            list(pool.map(work, self.runs))

    def _execute(self, run: Run, commands: Commands, device: dict[str, str]) -> None:
        start = time.monotonic()
        known = self.ledger.is_trained(run)
        if not known:
            self._train(run, commands, device)
        untested = [statistics for statistics in self._wanted(run) if not self.ledger.is_tested(run, statistics)]
        for statistics in untested:
            self._test(run, statistics, commands, device)
        self._done += 1
        scores = ', '.join(f'{self._score(run, statistics)} ({statistics})' for statistics in self._wanted(run))
        how = 'done before' if known and not untested else f'after {time.monotonic() - start:.0f} s'
        self.say(f'[{self._done}/{len(self.runs)}] {run.name}: {scores}, {how}')

    def _wanted(self, run: Run) -> list[str]:
        return [
            statistics
            for statistics in self.statistics
            if statistics == 'stored' or not run.method.without_target_statistics
        ]

    def _train(self, run: Run, commands: Commands, device: dict[str, str]) -> None:
        log = run.folder / 'train.log'
        self.say(f'{run.name}: {"continuing" if self.ledger.entry(run) else "training"}, see {log}')
        if run.folder.is_dir() and not self.ledger.entry(run):
            raise RuntimeError(f'{run.folder} is not from this comparison: move it away')
        run.write_config()
        self.ledger.begin(run, self._commit)
        run.folder.mkdir(parents=True, exist_ok=True)  # after the entry: a folder without one is refused above
        options = ['--work-dir', str(run.folder), '--resume']
        before = time.monotonic()
        try:
            outcome = commands.run(self._command('train.py', run, *options), log, device)
        except InterruptedError:
            self.ledger.add_costs(run, time.monotonic() - before, {})
            raise
        self.ledger.add_costs(run, outcome.seconds, _memory(run, outcome.memory))
        if outcome.code:
            raise RuntimeError(f'training ended with exit status {outcome.code}, {log} ends with\n{last_lines(log)}')
        self.ledger.finish(run)

    def _test(self, run: Run, statistics: str, commands: Commands, device: dict[str, str]) -> None:
        log = run.folder / 'test.log'
        self.say(f'{run.name}: testing ({statistics} statistics), see {log}')
        run.write_config()  # the settings of the test may have changed since the training
        options = ['--work-dir', str(run.folder / 'test'), '--batch-norm', statistics]
        outcome = commands.run(self._command('test.py', run, str(run.checkpoint()), *options), log, device)
        if outcome.code:
            raise RuntimeError(f'its test ended with exit status {outcome.code}, {log} ends with\n{last_lines(log)}')
        self.ledger.tested(run, statistics)

    def _command(self, script: str, run: Run, *options: str) -> list[str]:
        return [sys.executable, str(self.tools / script), str(run.config), *options]

    def _score(self, run: Run, statistics: str) -> str:
        content = json.loads(run.result_file(statistics).read_text(encoding='utf-8'))
        return f'{content["metrics"][main_measure([content])]:.1f}'


def commit_of(folder: Path) -> str:
    """Return the git commit of the code in a folder, with ``+`` if something in it is not committed; '' without git.

    That is a change of any file that git knows, or a new file in one of the folders :data:`CODE`.
    """

    def git(*arguments: str) -> str:
        command = ['git', '-C', str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git('status', '--porcelain', '-uno') or git('status', '--porcelain', '-unormal', '--', *CODE)
        return git('rev-parse', '--short=10', 'HEAD') + '+' * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return ''


@contextmanager
def _stopped_by_errors(commands: Commands) -> Iterator[None]:
    """Stop all commands if the block raises, for example on Ctrl-C."""
    try:
        yield
    except BaseException:
        commands.stop()
        raise


def _device(slot: int) -> dict[str, str]:
    """Return the environment variables that give a job its GPU; none if there are fewer than two GPUs."""
    count = torch.cuda.device_count()
    if count < 2:
        return {}
    names = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(map(str, range(count)))
    return dict(CUDA_VISIBLE_DEVICES=names.split(',')[slot % count])


def _import_path() -> dict[str, str]:
    """Return the environment variables that give child processes the import path of this process.

    Plug-ins of the configs can be in any folder.
    """
    return dict(PYTHONPATH=os.pathsep.join(filter(None, sys.path)))


def _memory(run: Run, process: float) -> dict[str, float]:
    """Return the peaks of memory of an attempt in MB: of the process, and of the GPU as logged by the training."""
    peaks = [0.0]
    for path in run.folder.rglob('vis_data/scalars.json'):
        for line in path.read_text(encoding='utf-8').splitlines():
            try:
                peaks.append(float(json.loads(line).get('memory', 0.0)))
            except ValueError:  # a kill has cut the line off
                continue
    return dict(process=process, **(dict(gpu=max(peaks)) if max(peaks) else {}))
