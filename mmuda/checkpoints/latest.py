"""The newest checkpoint of a run, and the newest one that is not damaged."""

from collections.abc import Iterator
from pathlib import Path

from .archives import damage

NOTE = 'last_checkpoint'
"""File in which mmengine stores the name of the checkpoint that was written last."""


def latest_checkpoint(work_dir: str | Path) -> str | None:
    """Return the checkpoint that training wrote last into a work directory, or None.

    mmengine stores its name in ``last_checkpoint``. If that file is incomplete because the process was killed, the
    checkpoint with the highest iteration is returned. Checkpoints themselves are written atomically.
    """
    newest = next(checkpoints_of(work_dir), None)
    return None if newest is None else str(newest)


def newest_intact(work_dir: str | Path) -> Path | None:
    """Return the newest checkpoint of a work directory that is not damaged, or None. All newer ones are read, too."""
    return next((path for path in checkpoints_of(work_dir) if damage(path) is None), None)


def checkpoints_of(work_dir: str | Path) -> Iterator[Path]:
    """Yield the checkpoints of a work directory: first the one in ``last_checkpoint``, then by descending iteration."""
    folder = Path(work_dir)
    found = {number: path for path in folder.glob('iter_*.pth') if (number := iteration_of(path)) is not None}
    noted = _noted(folder)
    if noted is not None:
        yield noted
    for number in sorted(found, reverse=True):
        if found[number] != noted:
            yield found[number]


def iteration_of(path: Path) -> int | None:
    """Return the N of a file ``iter_N.pth``; None for anything else."""
    number = path.stem[len('iter_') :]
    return int(number) if path.name.startswith('iter_') and number.isdigit() and path.is_file() else None


def _noted(folder: Path) -> Path | None:
    note = folder / NOTE
    if not note.is_file():
        return None
    name = Path(note.read_text(encoding='utf-8', errors='replace').replace('\0', '').strip() or '.').name
    return folder / name if name and (folder / name).is_file() else None
