"""The figures that a paper reports, to be printed beside ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .protocols import PROTOCOLS


@dataclass(frozen=True)
class PaperFigures:
    """Percentages of one method as published.

    Attributes:
        name: Heading of the column.
        per_class: IoU by class name.
        means: Mean IoU by protocol name.
    """

    name: str
    per_class: dict[str, float]
    means: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """The figures as written to JSON."""
        return dict(name=self.name, per_class=self.per_class, means=self.means)


def paper_figures(
    paper: Mapping[str, Any] | None, classes: Sequence[str], protocols: Mapping[str, Sequence[int]]
) -> PaperFigures | None:
    """Read the ``paper`` option of :class:`DomainIoUMetric`.

    Args:
        paper: ``name``; ``per_class``, a dict of IoU percentages by class name or a list; ``order``, the protocol
            whose class order the list has (default: the data set's); and means by protocol name. All optional.
        classes: Class names of the data set.
        protocols: The protocols that are evaluated: class indices by name.

    Raises:
        ValueError: If a class or protocol is unknown, or a list has the wrong length.
    """
    if paper is None:
        return None
    rest = dict(paper)
    name = rest.pop('name', 'paper')
    order = rest.pop('order', None)
    figures = rest.pop('per_class', {})
    if isinstance(figures, Mapping):
        if order is not None:
            raise ValueError(f'paper {name!r}: `order` belongs to a list of figures, but `per_class` is a dict')
        figures = dict(figures)
    else:
        names = _class_order(name, order, classes, protocols)
        if len(figures) != len(names):
            raise ValueError(
                f'paper {name!r}: `per_class` has {len(figures)} figures for {len(names)} classes {names}; say with '
                "`order` which protocol's classes they follow, or give a dict by class name"
            )
        figures = dict(zip(names, figures, strict=True))
    unknown = [key for key in figures if key not in classes]
    if unknown:
        raise ValueError(f'paper {name!r} has figures for {unknown}; the classes are {list(classes)}')
    unknown = [key for key in rest if key not in protocols]
    if unknown:
        raise ValueError(
            f'paper {name!r} has the keys {unknown}, which are no evaluated protocol: those are {list(protocols)}. '
            'Add the protocol to `protocols`, or drop the figure'
        )
    return PaperFigures(
        str(name),
        {key: float(value) for key, value in figures.items()},
        {key: float(value) for key, value in rest.items()},
    )


def _class_order(
    paper: str, order: str | None, classes: Sequence[str], protocols: Mapping[str, Sequence[int]]
) -> list[str]:
    """Class names that a list of figures follows."""
    if order is None:
        return list(classes)
    if order in protocols:
        return [classes[index] for index in protocols[order]]
    if order in PROTOCOLS:
        return list(PROTOCOLS[order])
    raise ValueError(f'paper {paper!r}: unknown order {order!r}; use one of {sorted({*protocols, *PROTOCOLS})}')
