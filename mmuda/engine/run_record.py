"""``run.json``: the identity of the run in a work directory, and the part of its state that checkpoints do not hold."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from mmuda.files import checksum, remove_drafts, write_json
from mmuda.owner import holds, only_run
from mmuda.ranks import from_main

NAME = 'run.json'


class RunRecord:
    """The identity of the run in a work directory, and its last validation. It is written before all other files.

    If a run is killed before its first checkpoint, checkpoints of an earlier run are still in the folder. They have
    another identity in ``meta['run']``, so they are not resumed by mistake.

    Attributes:
        exists: Whether there is a record; folders of earlier versions have none.
        run: Identity; None for a run of an earlier version.
        validated: Iteration of the last complete validation, or None.
        before: Record of an earlier run while its results are still in the folder (empty if it had no record);
            otherwise None.

    Args:
        work_dir: Folder of the run.

    Raises:
        ValueError: If the file is damaged.
    """

    def __init__(self, work_dir: str | Path) -> None:
        self.path = Path(work_dir) / NAME
        self.exists = self.path.is_file()
        self.run: str | None = None
        self.validated: int | None = None
        self.before: dict[str, Any] | None = None
        if self.exists:
            try:
                content = json.loads(self.path.read_text(encoding='utf-8'))
                if 'checksum' in content and content.pop('checksum') != checksum(content):
                    raise ValueError('its checksum differs: it is damaged, or was changed by hand')
                self.run, self.validated = content['run'], content['validated']
                self.before = content.get('before')
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f'{self.path} cannot be read ({error}): delete it; --resume then takes the newest checkpoint in '
                    'the folder'
                ) from error

    def begin(self) -> None:
        """Record that a new run begins, and keep the record of an earlier one that it replaces."""
        if self.before is None:
            self.before = dict(run=self.run, validated=self.validated) if self.exists else {}
        self.run, self.validated = secrets.token_hex(8), None
        self._write()

    def settle(self) -> None:
        """Record that no results of an earlier run are left in the folder."""
        if self.before is not None:
            self.before = None
            self._write()

    def give_back(self) -> None:
        """Restore the record of the earlier run, if its results are still in the folder."""
        if self.before:
            self.run, self.validated, self.before = self.before['run'], self.before['validated'], None
            self._write()
        elif self.before is not None:
            self.path.unlink(missing_ok=True)

    def adopt(self, meta: Any) -> None:
        """Record that the run of a checkpoint continues; ``meta`` is that of the checkpoint."""
        run = meta.get('run') if isinstance(meta, dict) else None
        if not self.exists or run != self.run:
            self.run, self.validated = run, None
            self._write()

    def owns(self, meta: Any) -> bool:
        """Return whether a checkpoint with this ``meta`` belongs to the run in the folder."""
        return not self.exists or (meta.get('run') if isinstance(meta, dict) else None) == self.run

    def note_validated(self, iteration: int) -> None:
        """Record that the validation after an iteration is complete."""
        self.validated = iteration
        self._write()

    def _write(self) -> None:
        content: dict[str, Any] = dict(run=self.run, validated=self.validated, at=time.strftime('%Y-%m-%d %H:%M:%S'))
        if self.before is not None:
            content['before'] = self.before
        write_json(self.path, dict(content, checksum=checksum(content)))
        self.exists = True


@contextmanager
def own_run(work_dir: str | Path, resume: bool | str) -> Iterator[None]:
    """Hold a work directory for one training, and record a new run at once. All processes must call it.

    If the block fails before results of an earlier run were moved aside, the directory belongs to the earlier run
    again, and ``--resume`` continues that run. If this process holds the directory already, nothing happens.

    Args:
        work_dir: Folder of the run.
        resume: Whether to continue a run, or the checkpoint from which to continue.

    Raises:
        RuntimeError: If another run uses the folder.
    """
    held = from_main(lambda: holds(work_dir))
    with only_run(work_dir, 'training'):
        if held:
            yield
            return
        from_main(lambda: _note_run(work_dir, resume))
        try:
            yield
        except Exception:
            if is_main_process():
                RunRecord(work_dir).give_back()
            raise


def _note_run(work_dir: str | Path, resume: bool | str) -> None:
    remove_drafts(work_dir)
    if not resume:
        RunRecord(work_dir).begin()
