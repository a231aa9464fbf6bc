"""From which checkpoint does a training go on, and whose are the others in its folder?"""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmuda.checkpoints.archives import damage
from mmuda.checkpoints.latest import NOTE, checkpoints_of, iteration_of
from mmuda.checkpoints.reading import read_meta
from mmuda.files import move_aside

from .run_record import RunRecord
from .run_settings import changed_settings, changed_since_older, not_allowed, refusal, unknown_allowance


def find_resumable(work_dir: str | Path) -> str | None:
    """Return the newest checkpoint of the run in a work directory that is not damaged, or None if it has none.

    Newer ones that are damaged are moved aside. Those of an earlier run do not count. Only the main process may call
    it.

    Raises:
        RuntimeError: If all checkpoints of the run are damaged.
    """
    record, damaged, foreign = RunRecord(work_dir), {}, []
    found = None
    for path in checkpoints_of(work_dir):
        problem = damage(path)
        if problem is not None:
            damaged[path] = problem
        elif record.exists and not record.owns(read_meta(path)):
            foreign.append(path)
        else:
            found = path
            break
    told = ''.join(f'\n  {path}: {problem}' for path, problem in damaged.items())
    if found is None and damaged and not foreign:
        raise RuntimeError(
            f'all checkpoints in {work_dir} are damaged:{told}\nCopy them again from where they are sound, or start '
            'anew without --resume'
        )
    if damaged:
        folder = move_aside(work_dir, [path.name for path in damaged])
        _warn(f'damaged checkpoints were moved to {folder}:{told}\nThe newest intact one is {found}')
    if found is None and foreign:
        _warn(
            f'{foreign[0]} belongs to an earlier run in {work_dir}, which a new one was to replace; that one was '
            'stopped before its first checkpoint, so it starts again. To go on with the earlier run: --resume '
            f'BEFORE/{foreign[0].name}, from the folder that its checkpoints are moved to'
        )
    return None if found is None else str(found)


def set_aside_earlier_run(work_dir: str | Path) -> None:
    """Move all checkpoints of an earlier run aside: a new one must neither overwrite nor ever resume them.

    Only the main process may call it.
    """
    root = Path(work_dir)
    earlier = [path.name for pattern in ('iter_*.pth', 'best_*.pth', NOTE) for path in root.glob(pattern)]
    folder = move_aside(root, earlier)
    if folder is not None:
        print_log(
            f'checkpoints of an earlier run were moved to {folder} (--resume would have gone on with them)',
            logger='current',
        )


def begin_training(work_dir: str | Path) -> str | None:
    """Move checkpoints of an earlier run aside; return the identity of the run that begins. For the main process."""
    set_aside_earlier_run(work_dir)
    record = RunRecord(work_dir)
    if not record.exists:  # asked to resume, with nothing to resume
        record.begin()
    record.settle()
    return record.run


def adopt_run(work_dir: str | Path, filename: str, iteration: int, meta: Mapping[str, Any]) -> str | None:
    """Note in a work directory that the run of a checkpoint goes on there; return the identity of that run.

    Checkpoints of later iterations, or of another run if this one comes from elsewhere, are moved aside: the next
    ``--resume`` must not take them. Only the main process may call it.

    Args:
        work_dir: Folder of the run.
        filename: The checkpoint.
        iteration: Its iteration.
        meta: Its meta information.
    """
    root, record = Path(work_dir), RunRecord(work_dir)
    if Path(filename).resolve().parent != root.resolve():
        set_aside_earlier_run(root)
        record.begin()
        return record.run
    record.adopt(meta)
    later = [path.name for path in checkpoints_of(root) if (iteration_of(path) or 0) > iteration]
    folder = move_aside(root, [*later, NOTE]) if later else None
    if folder is not None:
        print_log(f'the training goes on from {filename}: later checkpoints were moved to {folder}', logger='current')
    return record.run


def check_resumable(checkpoint: Any, filename: str) -> None:
    """Check that a checkpoint holds the state of a training, and not only weights.

    Raises:
        RuntimeError: If it does not, with the reason.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if not isinstance(meta, dict) or 'iter' not in meta:
        raise RuntimeError(
            f'{filename} holds no state of a training that could go on: start anew from its weights with load_from'
        )
    if 'optimizer' in checkpoint:
        return
    path = Path(filename)
    whole = path.with_name(f'iter_{meta["iter"]}.pth')
    why = ' (the best checkpoint is kept for tests)' if path.name.startswith('best_') else ''
    how = f'resume from {whole}, of the same iteration, or ' if whole.is_file() else ''
    raise RuntimeError(
        f'{filename} holds weights, but not the state of optimizers and schedules{why}, so its training cannot go on '
        f'from it: {how}start anew from its weights with load_from'
    )


def compare_settings(
    checkpoint: Mapping[str, Any],
    filename: str,
    now: Mapping[str, Any],
    allowed: Collection[str],
    all_known: bool = True,
) -> list[str]:
    """Compare the settings of a checkpoint with those of the run that is to go on from it; warn of what may differ.

    Args:
        checkpoint: Content of the file.
        filename: For messages.
        now: The facts of the run, see :func:`training_facts`.
        allowed: Keys that may differ.
        all_known: Each of them must be a setting.

    Returns:
        The settings that differ, and may.

    Raises:
        RuntimeError: If others differ, or a key that may differ is none.
    """
    meta = checkpoint['meta']
    before = meta.get('training', {})
    if 'settings' in before:
        unknown = unknown_allowance(before, now, list(allowed)) if all_known else None
        if unknown is not None:
            raise RuntimeError(unknown)
        changed = changed_settings(before, now)
    else:
        changed = changed_since_older(before, meta.get('seed'), now)
        _warn(
            f'{filename} was written by an earlier version of mmuda, which did not note the settings of a run: '
            'whether model, optimizers, schedule, data, threads and versions are the same cannot be checked'
        )
    refused = not_allowed(changed, list(allowed))
    if refused:
        raise RuntimeError(refusal(filename, changed, refused))
    if changed:
        told = '\n  '.join(changed)
        _warn(f'{filename} was trained with other settings; the training goes on with\n  {told}')
    if 'random_states' not in checkpoint:
        _warn(
            f'{filename} holds no random states (RandomStateHook writes them): training goes on, but '
            'will not equal a run that was never interrupted'
        )
    return changed


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
