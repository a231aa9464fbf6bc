"""The JSON file of a resumable job: its settings, its results, and whether it is complete."""

import json
from pathlib import Path
from typing import Any

from mmengine.dist import barrier

from mmuda.files import checksum, write_json
from mmuda.ranks import from_main
from mmuda.settings import comparable, differences, shortened

FORMAT = 2
RUNNING, DONE = 'running', 'done'
CHECKSUM = 'checksum'


class Job:
    """A job that fills an output folder and can be continued after an interruption. All processes share it.

    The JSON file is written when the job begins (``status: running``). It is atomically replaced whenever a result is
    known.

    Files of earlier versions are read, too: files of format 1, which were written only at the end, and ``plan.json``
    and ``thresholds.json`` of a job that was interrupted.

    Args:
        folder: Output folder; it is made if it does not exist.
        name: Name of the file.
        settings: Plain values that decide the result. A folder that was started with other settings is refused.
        results: Plain values that are written from the start but not compared.
        plan: The settings as earlier versions wrote them, to compare with files of these versions.

    Raises:
        RuntimeError: If the folder was started with other settings, or holds labels of unknown origin.
        ValueError: If the file is damaged.
    """

    def __init__(
        self,
        folder: str | Path,
        name: str,
        settings: dict[str, Any],
        results: dict[str, Any] | None = None,
        plan: dict[str, Any] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.path = self.folder / name
        fresh = {'format': FORMAT, 'status': RUNNING, **json.loads(json.dumps(settings)), **(results or {})}
        self.content: dict[str, Any] = from_main(lambda: self._begin(fresh, list(settings), plan or {}))

    @property
    def done(self) -> bool:
        """Whether the job is complete."""
        return self.content['status'] == DONE

    def update(self, **results: Any) -> None:
        """Add results and write the file. All processes must call it with the same values."""
        self.content.update(results)
        barrier()  # the results are valid only after the work of all processes
        from_main(self._write)

    def finish(self, **results: Any) -> None:
        """Write the last results and delete the snapshots. All processes must call it."""
        self.update(**results, status=DONE)
        from_main(self._delete_snapshots)

    def _delete_snapshots(self) -> None:
        for path in (*self.folder.glob('snapshot_*'), self.folder / 'plan.json', self.folder / 'thresholds.json'):
            path.unlink(missing_ok=True)

    def _begin(self, fresh: dict[str, Any], keys: list[str], plan: dict[str, Any]) -> dict[str, Any]:
        content = self._stored(fresh, keys, plan)
        if content is None:
            content = self.content = fresh
            self._write()
        for draft in self.folder.rglob('.*.tmp'):  # left by a process that was killed
            draft.unlink()
        return content

    def _write(self) -> None:
        self.content.pop(CHECKSUM, None)
        write_json(self.path, {**self.content, CHECKSUM: checksum(self.content)})

    def _stored(self, fresh: dict[str, Any], keys: list[str], plan: dict[str, Any]) -> dict[str, Any] | None:
        """Return the content of a job that was started before, or None."""
        old_plan = _read(self.folder / 'plan.json')
        content = _read(self.path)
        if content is not None:
            self._compare(content.get('plan', content), plan if 'plan' in content else fresh, keys)
            content.setdefault('status', DONE)  # files of format 1 were written at the end
            return content
        if old_plan is not None:
            self._compare(old_plan, plan, list(plan))
            return {**fresh, **(_read(self.folder / 'thresholds.json') or {})}
        if (self.folder / 'labels').is_dir():
            raise RuntimeError(
                f'{self.folder} holds labels, but no {self.path.name} with their origin: choose another folder, or '
                'delete this one'
            )
        return None

    def _compare(self, before: dict[str, Any], now: dict[str, Any], keys: list[str]) -> None:
        common = [key for key in keys if key in before and key in now]  # earlier versions kept fewer settings
        changed = differences(*(comparable({key: side[key] for key in common}) for side in (before, now)))
        if changed:
            told = '\n  '.join(shortened(changed))
            raise RuntimeError(
                f'{self.folder} was started with other settings:\n  {told}\nChoose another folder, delete this one, or '
                '(in a run of stages) use --restart-from STAGE'
            )


def check_sum(content: dict[str, Any]) -> None:
    """Compare the content of a file with its checksum. Files of earlier versions have none and are not checked.

    Raises:
        ValueError: If the checksum is wrong.
    """
    if CHECKSUM in content and content[CHECKSUM] != checksum({k: v for k, v in content.items() if k != CHECKSUM}):
        raise ValueError('its checksum differs: it is damaged, or was changed by hand')


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        if not isinstance(content, dict):
            raise ValueError('it is no JSON object')
        check_sum(content)
        return content
    except ValueError as error:
        raise ValueError(f'{path} cannot be read ({error}): delete the folder and start again') from error
