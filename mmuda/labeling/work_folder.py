"""A folder that a long work over images fills: what it was begun for, and snapshots to go on from."""

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import barrier, broadcast_object_list, get_dist_info

from mmuda.files import write_atomically


class WorkFolder:
    """Begun by one plan, gone on with by the same one only; several ranks share it.

    Args:
        folder: Made if it does not exist.
        plan: Plain values that decide the result.

    Raises:
        RuntimeError: If the folder was begun with another plan.
    """

    def __init__(self, folder: Path, plan: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.rank, self.world_size = get_dist_info()
        path = self.folder / 'plan.json'
        problem = None
        if self.rank == 0:
            plan = json.loads(json.dumps(plan))
            if path.is_file():
                problem = _difference(json.loads(path.read_text(encoding='utf-8')), plan)
            elif (self.folder / 'labels').is_dir():
                problem = 'it holds labels, but no plan.json that says what they are'
            else:
                write_atomically(path, json.dumps(plan, indent=1).encode())
            for draft in () if problem else self.folder.rglob('.*.tmp'):  # of a process that was killed
                draft.unlink()
        shared = [problem]
        broadcast_object_list(shared)  # also: nobody goes on before the plan is written
        if shared[0]:
            raise RuntimeError(
                f'{self.folder} was begun for something else: {shared[0]}. Choose another folder, delete this '
                'one, or, in a run of stages, use --restart-from STAGE'
            )

    def load_snapshot(self) -> dict[str, np.ndarray] | None:
        """What :meth:`save_snapshot` of this rank, among as many ranks, wrote last."""
        if not self._snapshot.is_file():
            return None
        with np.load(self._snapshot, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}

    def save_snapshot(self, **state: np.ndarray) -> None:
        """Keep small arrays."""
        content = io.BytesIO()
        np.savez_compressed(content, **state)
        write_atomically(self._snapshot, content.getvalue())

    def drop_snapshots(self) -> None:
        """Called by all ranks, when the work is done."""
        barrier()
        if self.rank == 0:
            for path in self.folder.glob('snapshot_*.npz'):
                path.unlink()

    @property
    def _snapshot(self) -> Path:
        return self.folder / f'snapshot_{self.rank}_of_{self.world_size}.npz'


def digest(lines: Sequence[str]) -> str:
    """SHA-256 of a list of texts."""
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


def _difference(before: dict, now: dict) -> str | None:
    changed = [key for key in sorted(set(before) | set(now)) if before.get(key) != now.get(key)]
    return '; '.join(f'{key} was {before.get(key)}, is {now.get(key)}' for key in changed) or None
