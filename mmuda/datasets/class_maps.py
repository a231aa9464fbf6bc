"""Classes that are merged or left out when labels are read: 19 become 13, or 7."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmuda.constants import IGNORE_INDEX


def classes_of(
    known: Mapping[str, Any],
    metainfo: dict,
    label_classes: Sequence[str] | None = None,
    class_map: Mapping[str, str | Sequence[str]] | None = None,
) -> tuple[dict, tuple[dict[int, int] | None] | None]:
    """Return the metainfo of a data set, and its label map (old train id -> new train id).

    Args:
        known: ``METAINFO`` of the data set's class.
        metainfo: Metainfo of the config.
        label_classes: Own class names, by train id, in place of those of the data set's class.
        class_map: As in :func:`merged_classes`.

    Returns:
        The metainfo, and a tuple that holds the label map, or ``(None,)`` if the train ids stay the same. It is None
        instead of a tuple if mmseg has to make the label map, from the classes in ``metainfo``.

    Raises:
        ValueError: If the class map names a class that does not exist.
    """
    if label_classes is None and class_map is None:
        return metainfo, None
    base = known['classes'] if label_classes is None else tuple(label_classes)
    # An empty palette makes mmseg draw one.
    palette = metainfo.get('palette', known['palette'] if label_classes is None else [])
    if class_map is None:
        return {**metainfo, 'classes': base, 'palette': palette}, (None,)
    ids = merged_classes(base, class_map)
    return {**metainfo, 'classes': tuple(class_map), 'palette': merged_palette(palette, ids)}, (ids,)


def merged_classes(classes: Sequence[str], class_map: Mapping[str, str | Sequence[str]]) -> dict[int, int]:
    """Return the new train id of each old one.

    Args:
        classes: Names of the old classes, by train id.
        class_map: ``{new name: old name, or list of old names}``, in the order of the new train ids. Old classes that
            are not listed are ignored.

    Returns:
        ``{old train id: new train id, or 255 for ignored classes}``.

    Raises:
        ValueError: If an old class does not exist or is listed twice, or there is no new class.
    """
    if not isinstance(class_map, Mapping) or not class_map:
        raise ValueError(
            f'class_map={class_map!r}, expected {{new class: [old classes]}}, such as {{"vehicle": ["car"]}}'
        )
    ids = dict.fromkeys(range(len(classes)), IGNORE_INDEX)
    for new, (name, old_names) in enumerate(class_map.items()):
        for old in [old_names] if isinstance(old_names, str) else old_names:
            if old not in classes:
                raise ValueError(f'class_map: {name!r} is made of {old!r}, but the classes are {list(classes)}')
            place = list(classes).index(old)
            if ids[place] != IGNORE_INDEX:
                raise ValueError(
                    f'class_map: {old!r} can be part of one class only, but is in '
                    f'{list(class_map)[ids[place]]!r} and {name!r}'
                )
            ids[place] = new
    return ids


def merged_palette(palette: Sequence, ids: Mapping[int, int]) -> list:
    """Return the colour of each new class: the colour of its first old class.

    Args:
        palette: Colours of the old classes; can be empty.
        ids: New train ids by old ones, from :func:`merged_classes`.

    Returns:
        RGB colours; empty if ``palette`` is empty or a new class has no old one.
    """
    count = 1 + max((new for new in ids.values() if new != IGNORE_INDEX), default=-1)
    first = {new: old for old, new in reversed(list(ids.items()))}
    return [list(palette[first[new]]) for new in range(count)] if len(palette) and count <= len(first) else []
