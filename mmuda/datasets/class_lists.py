"""Class lists that must agree: those of data sets and networks."""

from collections.abc import Mapping, Sequence


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
