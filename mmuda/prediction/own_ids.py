"""Ids of the user's own label files for the classes of a network: the label table of a config, inverted."""

from collections.abc import Sequence

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope

from mmuda.checks.data import build_without_files, datasets_of
from mmuda.constants import IGNORE_INDEX
from mmuda.datasets.label_tables import lookup_array

LOADERS = ('test_dataloader', 'train_dataloader')
"""Loaders whose data sets are searched for a label table, in this order."""

LARGEST = 255
"""Largest value of an 8-bit PNG file."""


def own_ids(cfg: Config, names: Sequence[str]) -> tuple[int, ...]:
    """Return the id in the user's label files of each class of a network.

    The table is ``label_table`` of the test images, or else of the training images (the source). If it has several ids
    for a class, the smallest one is taken.

    Args:
        cfg: Config of the network.
        names: Names of the classes that the network predicts, by train id.

    Returns:
        The ids by train id, each in [0, 255].

    Raises:
        ValueError: If no data set of the config has a label table, the table holds colours, its classes are not those
            of the network, a class has no id, or an id is above 255.
    """
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    place, node = next(
        ((place, node) for place, node in datasets_of(cfg, LOADERS) if node.get('label_table') is not None), ('', {})
    )
    if not node:
        raise ValueError(
            f'no data set of {" and ".join(LOADERS)} in {cfg.filename or "the config"} has a label_table with ids of '
            'label files: use a config of tools/new_pair.py, add label_table={id: train id} to the data set of the '
            'labels, or leave out --format own, which gives train ids'
        )
    dataset = build_without_files(node)
    classes = tuple(dataset.metainfo['classes'])
    if classes != tuple(names):
        raise ValueError(
            f'the network has the classes {", ".join(names)}, but {place} has {", ".join(classes)}: use the config of '
            'the training'
        )
    table, label_map = dataset.label_table, dataset.label_map
    if table.colours:
        raise ValueError(
            f'label_table of {place} maps colours, so its labels have no ids: leave out --format own. Label maps then '
            'hold train ids, and their palette holds the colours of the classes'
        )
    trains = lookup_array(table, IGNORE_INDEX, label_map and tuple(sorted(label_map.items())))
    found: dict[int, int] = {}
    for raw, _ in table.pairs:  # in ascending order
        found.setdefault(int(trains[raw]), raw)
    for number, name in enumerate(names):
        if number not in found:
            raise ValueError(
                f'label_table of {place} has no id for the class {name} (train id {number}): add an id to the table'
            )
        if found[number] > LARGEST:
            raise ValueError(
                f'label_table of {place} has the id {found[number]} for the class {name}, but label maps are 8-bit PNG '
                f'files of ids up to {LARGEST}: leave out --format own and map the train ids yourself'
            )
    ids = tuple(found[number] for number in range(len(names)))
    told = ', '.join(f'{value} {name}' for value, name in zip(ids, names, strict=True))
    print_log(f'label maps hold the ids of {place}: {told}', 'current')
    return ids
