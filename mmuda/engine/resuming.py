"""The checkpoint from which a training continues, and the other checkpoints in its folder."""

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

    Damaged checkpoints that are newer are moved aside. Checkpoints of an earlier run are ignored. Call it only on the
    main process.

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
            f'all checkpoints in {work_dir} are damaged:{told}\nCopy them again from an intact source, or start again '
            'without --resume'
        )
    if damaged:
        folder = move_aside(work_dir, [path.name for path in damaged])
        _warn(f'damaged checkpoints were moved to {folder}:{told}\nThe newest intact one is {found}')
    if found is None and foreign:
        _warn(
            f'{foreign[0]} belongs to an earlier run in {work_dir}. The run that replaces it was stopped before its '
            'first checkpoint, so it starts from the beginning. To continue the earlier run instead: --resume '
            f'BEFORE/{foreign[0].name}, where BEFORE is the folder that its checkpoints are moved to'
        )
    return None if found is None else str(found)


def set_aside_earlier_run(work_dir: str | Path) -> None:
    """Move all checkpoints of an earlier run aside, so that a new run neither overwrites nor resumes them.

    Call it only on the main process.
    """
    root = Path(work_dir)
    earlier = [path.name for pattern in ('iter_*.pth', 'best_*.pth', NOTE) for path in root.glob(pattern)]
    folder = move_aside(root, earlier)
    if folder is not None:
        print_log(
            f'checkpoints of an earlier run were moved to {folder} (--resume would have continued from them)',
            logger='current',
        )


def begin_training(work_dir: str | Path) -> str | None:
    """Move checkpoints of an earlier run aside, and return the identity of the new run.

    Call it only on the main process.
    """
    set_aside_earlier_run(work_dir)
    record = RunRecord(work_dir)
    if not record.exists:  # with --resume, but without a checkpoint
        record.begin()
    record.settle()
    return record.run


def adopt_run(work_dir: str | Path, filename: str, iteration: int, meta: Mapping[str, Any]) -> str | None:
    """Record in a work directory that a training continues there from a checkpoint; return the identity of its run.

    A checkpoint in the work directory keeps its run, and checkpoints of later iterations are moved aside. A checkpoint
    from another folder begins a new run, and all checkpoints in the work directory are moved aside. So the next
    ``--resume`` does not use them. Call it only on the main process.

    Args:
        work_dir: Folder of the run.
        filename: The checkpoint.
        iteration: Iteration of the checkpoint.
        meta: ``meta`` of the checkpoint.
    """
    root, record = Path(work_dir), RunRecord(work_dir)
    if Path(filename).resolve().parent != root.resolve():
        set_aside_earlier_run(root)
        record.begin()
        record.settle()
        return record.run
    record.adopt(meta)
    later = [path.name for path in checkpoints_of(root) if (iteration_of(path) or 0) > iteration]
    folder = move_aside(root, [*later, NOTE]) if later else None
    if folder is not None:
        print_log(f'the training continues from {filename}: later checkpoints were moved to {folder}', logger='current')
    return record.run


def check_resumable(checkpoint: Any, filename: str) -> None:
    """Check that a checkpoint holds the state of a training, and not only weights.

    Raises:
        RuntimeError: If it holds only weights. The message has the reason and the remedy.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if not isinstance(meta, dict) or 'iter' not in meta:
        raise RuntimeError(
            f'{filename} holds no state of a training to resume: start a new training from its weights with load_from'
        )
    if 'optimizer' in checkpoint:
        return
    path = Path(filename)
    whole = path.with_name(f'iter_{meta["iter"]}.pth')
    why = ' (the best checkpoint is kept for tests)' if path.name.startswith('best_') else ''
    how = f'resume from {whole}, of the same iteration, or ' if whole.is_file() else ''
    raise RuntimeError(
        f'{filename} holds weights, but not the state of optimizers and schedules{why}, so its training cannot be '
        f'resumed: {how}start a new training from its weights with load_from'
    )


def compare_settings(
    checkpoint: Mapping[str, Any],
    filename: str,
    now: Mapping[str, Any],
    allowed: Collection[str],
    all_known: bool = True,
) -> list[str]:
    """Compare the settings of a checkpoint with those of the run that continues from it; warn about allowed changes.

    Args:
        checkpoint: Content of the file.
        filename: Name of the file, for messages.
        now: The facts of the run, see :func:`training_facts`.
        allowed: Keys that are allowed to differ.
        all_known: Whether each allowed key must be a setting.

    Returns:
        The settings that differ, one line for each.

    Raises:
        RuntimeError: If other settings differ, or an allowed key is no setting.
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
            f'{filename} was written by an earlier version of mmuda, which did not record the settings of a run: '
            'whether model, optimizers, schedule, data, threads and versions are the same cannot be checked'
        )
    refused = not_allowed(changed, list(allowed))
    if refused:
        raise RuntimeError(refusal(filename, changed, refused))
    if changed:
        told = '\n  '.join(changed)
        _warn(f'{filename} was trained with other settings; the training continues with\n  {told}')
    if 'random_states' not in checkpoint:
        _warn(
            f'{filename} holds no random states (RandomStateHook writes them): the training continues, but its result '
            'will differ from that of an uninterrupted run'
        )
    return changed


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
