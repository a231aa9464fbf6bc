"""Data roots of configs. They decide the data of a run, but are no settings, because a data set can be moved."""

from collections.abc import Sequence
from typing import Any


def data_roots(node: Any, place: str = '') -> dict[str, str]:
    """Return the data roots in a config by the place of their data set, such as ``train_dataloader.dataset.source``.

    Args:
        node: A config, or a part of one.
        place: Dotted place of that part.
    """
    found: dict[str, str] = {}
    if isinstance(node, dict):
        if node.get('data_root') is not None:
            found[place] = str(node['data_root'])
        parts: Any = node.items()
    else:
        parts = enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, value in parts:
        found.update(data_roots(value, f'{place}.{key}' if place else str(key)))
    return found


def root_notes(roots_by_run: dict[str, dict[str, Sequence[str]]]) -> list[str]:
    """Return one note for each data set that runs were trained with from different roots.

    Args:
        roots_by_run: Roots by place, by run, as in the ledger. A run that was continued with moved data has several
            roots for a place.
    """
    notes = []
    for place in dict.fromkeys(place for roots in roots_by_run.values() for place in roots):
        runs: dict[str, list[str]] = {}
        for run, roots in roots_by_run.items():
            if place in roots:
                runs.setdefault(' and '.join(roots[place]), []).append(run)
        if len(runs) > 1:
            told = '; '.join(f'{root} ({", ".join(names)})' for root, names in runs.items())
            notes.append(f'the trainings read {place} from different folders, which may hold different data: {told}')
    return notes
