"""State of the runs of a comparison, trained or tested: ``comparison.json`` in its folder."""

import json
import threading
import time
from pathlib import Path
from typing import Any

from mmuda.files import write_json
from mmuda.machine import machine_name
from mmuda.settings import differences, settings_digest, shortened

from .runs import Run

_FORMAT = 1


class RunLedger:
    """Runs by name, with the settings, costs and tests of each. Several threads can write.

    An entry of ``entries`` has these keys:

    - ``settings``: everything in the config that decides the weights.
    - ``state``: ``'running'`` or ``'trained'``.
    - ``commit``: version of the code.
    - ``machine``: name of the processor or GPU.
    - ``seconds`` of training and ``memory`` in MB, over all attempts.
    - ``began``: time at which the current attempt began, None after its end.
    - ``roots``: folders that its data sets were read from, by place in the config.
    - ``checkpoint`` and ``iterations``, when it is trained.
    - ``tests``: digests of the settings of its tests, by batch-norm statistics.

    The file is replaced as a whole after every change, so that a kill at any time leaves the state before or after it.

    Args:
        work_dir: Folder of the comparison.

    Raises:
        ValueError: If the file is damaged.
    """

    def __init__(self, work_dir: str | Path) -> None:
        self.path = Path(work_dir) / 'comparison.json'
        self.entries: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        if self.path.is_file():
            try:
                content = json.loads(self.path.read_text(encoding='utf-8'))
                if content['format'] != _FORMAT:
                    raise ValueError(f'its format is {content["format"]}, expected {_FORMAT}')
                self.entries = dict(content['runs'])
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f'{self.path} cannot be read ({error}): move the folder away and start again'
                ) from error

    def entry(self, run: Run) -> dict[str, Any]:
        """Return the entry of a run; empty if it was not begun or its folder is gone."""
        return self.entries.get(run.name, {}) if run.folder.is_dir() else {}

    def is_trained(self, run: Run) -> bool:
        """Return whether a run has its last checkpoint."""
        return self.entry(run).get('state') == 'trained' and (run.folder / self.entry(run)['checkpoint']).is_file()

    def is_tested(self, run: Run, statistics: str) -> bool:
        """Return whether the last checkpoint was tested with the present settings of the config."""
        tests = self.entry(run).get('tests', {})
        tested = self.is_trained(run) and tests.get(statistics) == settings_digest(run.test_settings)
        return tested and run.result_file(statistics).is_file()

    def check(self, run: Run) -> None:
        """Check that a run has the settings that it was begun with. They can change until it has a checkpoint.

        Raises:
            RuntimeError: If they differ; the message lists the differences and the remedy.
        """
        entry = self.entry(run)
        begun = bool(entry) and any(run.folder.rglob('*.pth'))
        changed = differences(entry['settings'], run.settings) if begun else []
        if changed:
            told = '\n  '.join(shortened(changed))
            raise RuntimeError(
                f'{run.name} was trained with other settings in {run.folder}:\n  {told}\n'
                'Undo the change, compare in another --work-dir, or move that folder away to train it again'
            )

    def begin(self, run: Run, commit: str) -> None:
        """Record that the training of a run begins or continues.

        A run that continues with the same settings keeps its costs, its first commit and its first machine, but not its
        tests. With other settings, it keeps nothing.
        """
        before = self.entry(run)
        known = before if before.get('settings') == run.settings else {}  # other settings make another training
        new = dict(commit=commit, machine=machine_name(), seconds=0.0, memory={}, roots={})
        entry = {**new, **known, 'settings': run.settings, 'tests': {}}
        entry['roots'] = {
            place: list(dict.fromkeys([*entry['roots'].get(place, []), root])) for place, root in run.roots.items()
        }
        if entry.get('began') is not None:  # the earlier attempt was killed: it ended when its log was last written
            log = run.folder / 'train.log'
            entry['seconds'] += max(log.stat().st_mtime - entry['began'], 0.0) if log.is_file() else 0.0
        self._update(run, {**entry, 'state': 'running', 'began': time.time()}, replace=True)

    def add_costs(self, run: Run, seconds: float, memory: dict[str, float]) -> None:
        """Add the costs of an attempt, however it ended.

        Args:
            run: The run.
            seconds: Seconds, added to those of earlier attempts.
            memory: Peaks in MB, by ``'gpu'`` or ``'process'``; the highest of all attempts counts.
        """
        entry = self.entries[run.name]
        peaks = {key: max(value, entry['memory'].get(key, 0.0)) for key, value in memory.items()}
        self._update(run, dict(seconds=entry['seconds'] + seconds, memory={**entry['memory'], **peaks}, began=None))

    def finish(self, run: Run) -> None:
        """Record that a run is trained."""
        checkpoint = run.checkpoint().relative_to(run.folder).as_posix()
        self._update(run, dict(state='trained', checkpoint=checkpoint, iterations=run.iterations()))

    def tested(self, run: Run, statistics: str) -> None:
        """Record that the last checkpoint was tested with some batch-norm statistics."""
        tests = {**self.entries[run.name]['tests'], statistics: settings_digest(run.test_settings)}
        self._update(run, dict(tests=tests))

    def _update(self, run: Run, changes: dict[str, Any], replace: bool = False) -> None:
        with self._lock:
            self.entries[run.name] = changes if replace else {**self.entries[run.name], **changes}
            write_json(self.path, dict(format=_FORMAT, runs=self.entries))
