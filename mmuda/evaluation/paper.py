"""Published figures of a paper, for comparison with our results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .protocols import PROTOCOLS


@dataclass(frozen=True)
class PaperFigures:
    """Published results of one method, in percent.

    Attributes:
        name: Heading of the column in the table.
        per_class: IoU by class name.
        means: Mean IoU by protocol name. A protocol is a named set of classes over which a mean is taken.
    """

    name: str
    per_class: dict[str, float]
    means: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for a JSON file."""
        return dict(name=self.name, per_class=self.per_class, means=self.means)


def paper_figures(
    paper: Mapping[str, Any] | None, classes: Sequence[str], protocols: Mapping[str, Sequence[int]]
) -> PaperFigures | None:
    """Return the figures in the ``paper`` option of :class:`DomainIoUMetric`; None if the option is None.

    Args:
        paper: A dict whose keys are all optional: ``name``; ``per_class``, a dict of IoU percentages by class name or a
            list of them; ``order``, the name of the protocol whose class order the list has (by default the list has
            the order of the data set); and mean IoUs by protocol name.
        classes: Class names of the data set.
        protocols: The evaluated protocols: class indices by name.

    Raises:
        ValueError: If a class or protocol is unknown, if a list has the wrong length, or if ``order`` is given with a
            dict.
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
                f'paper {name!r}: `per_class` has {len(figures)} figures for {len(names)} classes {names}; set `order` '
                'to the protocol whose classes they follow, or give a dict by class name'
            )
        figures = dict(zip(names, figures, strict=True))
    unknown = [key for key in figures if key not in classes]
    if unknown:
        raise ValueError(f'paper {name!r} has figures for unknown classes {unknown}; the classes are {list(classes)}')
    unknown = [key for key in rest if key not in protocols]
    if unknown:
        raise ValueError(
            f'paper {name!r} has the keys {unknown}, but the evaluated protocols are {list(protocols)}: '
            'add the protocol to `protocols`, or remove the figure'
        )
    return PaperFigures(
        str(name),
        {key: float(value) for key, value in figures.items()},
        {key: float(value) for key, value in rest.items()},
    )


def _class_order(
    paper: str, order: str | None, classes: Sequence[str], protocols: Mapping[str, Sequence[int]]
) -> list[str]:
    """Return the class names in the order of a list of figures."""
    if order is None:
        return list(classes)
    if order in protocols:
        return [classes[index] for index in protocols[order]]
    if order in PROTOCOLS:
        return list(PROTOCOLS[order])
    raise ValueError(f'paper {paper!r}: unknown order {order!r}; use one of {sorted({*protocols, *PROTOCOLS})}')
