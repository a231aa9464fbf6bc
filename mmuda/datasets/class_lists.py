"""Comparison of class lists that must agree, such as those of data sets and networks."""

from collections.abc import Mapping, Sequence


def differing_classes(lists: Mapping[str, Sequence[str] | None]) -> tuple[str, str] | None:
    """Return the names of two lists that differ, in their classes or in their order; None if all agree.

    Args:
        lists: Class lists by the name of their owner. None is an unknown list, which is skipped.

    Returns:
        The name of the first known list, and the name of the first list that differs from it.
    """
    known = {name: tuple(classes) for name, classes in lists.items() if classes is not None}
    first = next(iter(known), None)
    return next(((first, name) for name in known if first is not None and known[name] != known[first]), None)
