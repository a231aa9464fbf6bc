"""Class lists that must agree: those of data sets, networks and checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any


def differing_classes(lists: Mapping[str, Sequence[str] | None]) -> tuple[str, str] | None:
    """Return the names of two lists that differ, in their classes or in their order; None if all agree.

    Args:
        lists: Class names by the name of what has them, the one to compare with first. None is not known.

    Returns:
        The first name, and the first whose list differs from its.
    """
    known = {name: tuple(classes) for name, classes in lists.items() if classes is not None}
    first = next(iter(known), None)
    return next(((first, name) for name in known if first is not None and known[name] != known[first]), None)


def check_checkpoint_classes(checkpoint: Any, classes: Sequence[str] | None, filename: str) -> str | None:
    """Compare the classes that a checkpoint was trained with to those of the data.

    Args:
        checkpoint: Content of a file that a runner wrote, or any other.
        classes: Classes of the data set; None if it does not name them.
        filename: For the messages.

    Returns:
        What differs, if other names may mean the same classes or other weights may be wanted; None if nothing does.

    Raises:
        ValueError: If the classes are the same in another order: outputs would be taken for other classes.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
    stored = ((meta.get('dataset_meta') or {}) if isinstance(meta, Mapping) else {}).get('classes')
    if not stored or not classes or tuple(stored) == tuple(classes):
        return None
    told = f'{filename} was trained with the classes {tuple(stored)}, the data has {tuple(classes)}'
    if sorted(stored) == sorted(classes):
        raise ValueError(f'{told}, the same in another order: give the data sets the order of the checkpoint')
    return told
