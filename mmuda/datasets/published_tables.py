"""Label tables of published data sets, by the names that configs use.

Ids that a table maps to 255 are ignored. An id that the table does not have raises an error when a label is read.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mmseg.datasets import LoveDADataset, MapillaryDataset_v1, MapillaryDataset_v2, PotsdamDataset

from mmuda.constants import IGNORE_INDEX

from .classes import CITYSCAPES_CLASSES
from .label_tables import identity_table, register_label_table, register_table, shifted_table

OWN_CLASSES: dict[str, Any] = dict(
    idd_lite=dict(
        classes=('drivable', 'non-drivable', 'living things', 'vehicles', 'road side objects', 'far objects', 'sky'),
        palette=[
            [128, 64, 128],
            [244, 35, 232],
            [220, 20, 60],
            [0, 0, 230],
            [220, 190, 40],
            [70, 70, 70],
            [70, 130, 180],
        ],
    ),
    isprs=PotsdamDataset.METAINFO,
    loveda=LoveDADataset.METAINFO,
)
"""Names and colours of the classes of data sets that do not have the 19 of Cityscapes, by name of their label table."""

# The ids in ``*_labelIds.png`` files, in the order of the train ids.
_CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_CITYSCAPES = dict(zip(_CITYSCAPES_IDS, CITYSCAPES_CLASSES, strict=True))

_SYNTHIA: Mapping[int, str] = {
    1: 'sky',
    2: 'building',
    3: 'road',
    4: 'sidewalk',
    5: 'fence',
    6: 'vegetation',
    7: 'pole',
    8: 'car',
    9: 'traffic sign',
    10: 'person',
    11: 'bicycle',
    12: 'motorcycle',
    15: 'traffic light',
    16: 'terrain',
    17: 'rider',
    18: 'truck',
    19: 'bus',
    20: 'train',
    21: 'wall',
}

_IDD_LEVEL3: Mapping[int, str] = {
    0: 'road',
    2: 'sidewalk',
    3: 'terrain',
    4: 'person',
    5: 'rider',
    6: 'motorcycle',
    7: 'bicycle',
    9: 'car',
    10: 'truck',
    11: 'bus',
    14: 'wall',
    15: 'fence',
    18: 'traffic sign',
    19: 'traffic light',
    20: 'pole',
    22: 'building',
    24: 'vegetation',
    25: 'sky',
}
"""Level 3 merges classes. A merged class counts as the class that the authors' csTrainIds give to its larger part:
other ground is terrain (with rails), animals are persons, pole groups are poles, other background is sky. Trains are
merged with caravans and trailers, so they are ignored."""

_SYNTHIA_SEQS: Mapping[int, str] = {raw: name for raw, name in _SYNTHIA.items() if raw <= 15 and raw != 12}
"""Classes of the video sequences. There, id 12 is lane marking and is ignored; in RAND-CITYSCAPES it is motorcycle."""

_MAPILLARY: Mapping[str, str] = {
    'Road': 'road',
    'Manhole': 'road',
    'Lane Marking - General': 'road',
    'Curb': 'sidewalk',
    'Sidewalk': 'sidewalk',
    'Building': 'building',
    'Garage': 'building',
    'Wall': 'wall',
    'Fence': 'fence',
    'Pole': 'pole',
    'Pole Group': 'pole',
    'Utility Pole': 'pole',
    'Vegetation': 'vegetation',
    'Terrain': 'terrain',
    'Sky': 'sky',
    'Person': 'person',
    'Person Group': 'person',
    'Bicyclist': 'rider',
    'Motorcyclist': 'rider',
    'Other Rider': 'rider',
    'Car': 'car',
    'Truck': 'truck',
    'Bus': 'bus',
    'On Rails': 'train',
    'Motorcycle': 'motorcycle',
    'Bicycle': 'bicycle',
}
"""Cityscapes class of each class of version 1.2, as in the papers on generalisation to Mapillary Vistas (RobustNet and
later ones). Version 2.0 splits some of these classes, see :func:`_of_mapillary`."""


def _of_mapillary(name: str) -> str | None:
    """Return the Cityscapes class of a class of Mapillary Vistas, of either version; None if it has none."""
    if name.startswith('Traffic Light'):
        return 'traffic light'
    if name.startswith('Traffic Sign'):
        back = '(Back)' in name or 'Ambiguous' in name or 'Frame' in name
        return None if back else 'traffic sign'
    # Zebra crossings are a class of their own in version 1.2 and are ignored. Version 2.0 splits the other markings.
    if name.startswith('Lane Marking') and 'Crosswalk' not in name:
        return 'road'
    return _MAPILLARY.get(name)


def _register(name: str, classes: Mapping[int, str | None], known: Iterable[int]) -> None:
    """Register the table of the known ids. Ids without a class of Cityscapes are ignored."""
    found = {raw: classes.get(raw) for raw in known}
    register_label_table(name, {raw: CITYSCAPES_CLASSES.index(c) if c else IGNORE_INDEX for raw, c in found.items()})


# Licence plates have id -1, which is 255 in the files.
for _name in ('cityscapes', 'gta5', 'synscapes', 'crosscity'):
    _register(_name, _CITYSCAPES, (*range(35), IGNORE_INDEX))
_register('synthia', _SYNTHIA, range(23))
_register('synthia_seqs', _SYNTHIA_SEQS, (*range(16), IGNORE_INDEX))
_register('idd', _IDD_LEVEL3, (*range(26), IGNORE_INDEX))
for _name, _reader in (('mapillary_v1.2', MapillaryDataset_v1), ('mapillary_v2.0', MapillaryDataset_v2)):
    _classes = {raw: _of_mapillary(name) for raw, name in enumerate(_reader.METAINFO['classes'])}
    _register(_name, _classes, (*_classes, IGNORE_INDEX))
# Id 19 is everything without a class, such as the ego vehicle.
_register('urbansyn', dict(enumerate(CITYSCAPES_CLASSES)), (*range(20), IGNORE_INDEX))
register_table(identity_table('train_ids', len(CITYSCAPES_CLASSES)))
# The seven classes of level 1. Their ids are also train ids of Cityscapes, so a wrong table would raise no error.
register_table(identity_table('idd_lite', len(OWN_CLASSES['idd_lite']['classes'])))
# Users report that some masks contain a stray 9.
register_table(shifted_table('loveda', len(OWN_CLASSES['loveda']['classes']), 9))
register_table(shifted_table('isprs', len(OWN_CLASSES['isprs']['classes'])))
