"""Which runs of a comparison are trained and tested: ``comparison.json`` in its folder."""

import json
import threading
import time
from pathlib import Path
from typing import Any

from mmuda.files import write_json
from mmuda.settings import differences, settings_digest, shortened

from .runs import Run

_FORMAT = 1


class RunLedger:
    """Runs by name, with the settings, costs and results of each; several threads may write.

    An entry has ``settings``; ``state``, which is ``'running'`` or ``'trained'``; ``commit``, the version of the code;
    ``seconds`` of training and ``memory`` in MB, over all attempts; ``roots``, the folders that its data sets were read
    from, by place in the config; ``checkpoint`` and ``iterations`` when it is trained; and ``tests``, by batch-norm
    statistics, with the digest of their settings. The file is replaced as a whole after every change, so a kill at any
    time leaves the state before or after it.

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
                    f'{self.path} cannot be read ({error}): move the folder away and start anew'
                ) from error

    def entry(self, run: Run) -> dict[str, Any]:
        """Return what is known of a run; empty if it was not begun or its folder is gone."""
        return self.entries.get(run.name, {}) if run.folder.is_dir() else {}

    def is_trained(self, run: Run) -> bool:
        """Return whether a run has its last checkpoint."""
        return self.entry(run).get('state') == 'trained' and (run.folder / self.entry(run)['checkpoint']).is_file()

    def is_tested(self, run: Run, statistics: str) -> bool:
        """Return whether the last checkpoint was tested as the config says now."""
        tests = self.entry(run).get('tests', {})
        tested = self.is_trained(run) and tests.get(statistics) == settings_digest(run.test_settings)
        return tested and run.result_file(statistics).is_file()

    def check(self, run: Run) -> None:
        """Compare the settings of a run with those that it was begun with; one without a checkpoint may be changed.

        Raises:
            RuntimeError: If they differ, naming where and what to do.
        """
        entry = self.entry(run)
        begun = bool(entry) and any(run.folder.rglob('*.pth'))
        changed = differences(entry['settings'], run.settings) if begun else []
        if changed:
            told = '\n  '.join(shortened(changed))
            raise RuntimeError(
                f'{run.name} was trained with other settings in {run.folder}:\n  {told}\n'
                'Undo the change, compare in another --work-dir, or move that folder away to train it anew'
            )

    def begin(self, run: Run, commit: str) -> None:
        """Note that a run is trained from now on.

        One that goes on with the same settings keeps its costs and the commit of its beginning. Its tests, and
        everything that is known of a run of other settings, are forgotten.
        """
        before = self.entry(run)
        known = before if before.get('settings') == run.settings else {}  # other settings make another training
        new = dict(commit=commit, seconds=0.0, memory={}, roots={})
        entry = {**new, **known, 'settings': run.settings, 'tests': {}}
        entry['roots'] = {
            place: list(dict.fromkeys([*entry['roots'].get(place, []), root])) for place, root in run.roots.items()
        }
        if entry.get('began') is not None:  # the attempt before was killed: its last sign of life is in its log
            log = run.folder / 'train.log'
            entry['seconds'] += max(log.stat().st_mtime - entry['began'], 0.0) if log.is_file() else 0.0
        self._update(run, {**entry, 'state': 'running', 'began': time.time()}, replace=True)

    def add_costs(self, run: Run, seconds: float, memory: dict[str, float]) -> None:
        """Add what an attempt took, however it ended.

        Args:
            run: The run.
            seconds: Seconds, added to those of earlier attempts.
            memory: Peaks in MB, by ``'gpu'`` or ``'process'``; the highest of all attempts counts.
        """
        entry = self.entries[run.name]
        peaks = {key: max(value, entry['memory'].get(key, 0.0)) for key, value in memory.items()}
        self._update(run, dict(seconds=entry['seconds'] + seconds, memory={**entry['memory'], **peaks}, began=None))

    def finish(self, run: Run) -> None:
        """Note that a run is trained."""
        checkpoint = run.checkpoint().relative_to(run.folder).as_posix()
        self._update(run, dict(state='trained', checkpoint=checkpoint, iterations=run.iterations()))

    def tested(self, run: Run, statistics: str) -> None:
        """Note that the last checkpoint was tested."""
        tests = {**self.entries[run.name]['tests'], statistics: settings_digest(run.test_settings)}
        self._update(run, dict(tests=tests))

    def _update(self, run: Run, changes: dict[str, Any], replace: bool = False) -> None:
        with self._lock:
            self.entries[run.name] = changes if replace else {**self.entries[run.name], **changes}
            write_json(self.path, dict(format=_FORMAT, runs=self.entries))
