"""Label tables of target data sets, by names that configs use.

Ids that a table maps to 255 are ignored; ids that it does not have are an error when a label is read.
"""

from collections.abc import Mapping

from mmseg.datasets import MapillaryDataset_v1, MapillaryDataset_v2

from mmuda.constants import IGNORE_INDEX

from .classes import CITYSCAPES_CLASSES
from .label_tables import register_label_table

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
"""Level 3 joins classes; a joined one counts as the class that the authors' csTrainIds give to its larger part: other
ground is terrain (with rails), animals are persons, pole groups are poles, other background is sky. Trains are joined
with caravans and trailers, so they are ignored."""

_SYNTHIA_SEQS: Mapping[int, str] = {
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
    15: 'traffic light',
}
"""The video sequences: 12 is lane marking there, which is ignored, and motorcycle in RAND-CITYSCAPES."""

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
"""As the papers on generalisation to Mapillary Vistas (RobustNet and after) join the classes of version 1.2. Version
2.0 splits some of them, see :func:`_of_mapillary`."""


def _of_mapillary(name: str) -> str | None:
    """Return the Cityscapes class of a class of Mapillary Vistas, of either version."""
    if name.startswith('Traffic Light'):
        return 'traffic light'
    if name.startswith('Traffic Sign'):
        back = '(Back)' in name or 'Ambiguous' in name or 'Frame' in name
        return None if back else 'traffic sign'
    # Zebra crossings were a class of their own before markings were split.
    if name.startswith('Lane Marking') and 'Crosswalk' not in name:
        return 'road'
    return _MAPILLARY.get(name)


def _register(name: str, classes: Mapping[int, str | None]) -> None:
    ids: dict[int | str, int] = {IGNORE_INDEX: IGNORE_INDEX}
    ids.update({raw: CITYSCAPES_CLASSES.index(found) if found else IGNORE_INDEX for raw, found in classes.items()})
    register_label_table(name, ids)


def _shifted(num_classes: int, *ignored: int) -> dict[int | str, int]:
    """Return the table of files in which 0 is no class and 1 the first one."""
    ids: dict[int | str, int] = dict.fromkeys((0, *ignored, IGNORE_INDEX), IGNORE_INDEX)
    return {**ids, **{number + 1: number for number in range(num_classes)}}


_register('synthia_seqs', {raw: _SYNTHIA_SEQS.get(raw) for raw in range(16)})
_register('idd', {raw: _IDD_LEVEL3.get(raw) for raw in range(26)})
for _version, _reader in (('v1.2', MapillaryDataset_v1), ('v2.0', MapillaryDataset_v2)):
    _names = _reader.METAINFO['classes']
    _register(f'mapillary_{_version}', {raw: _of_mapillary(name) for raw, name in enumerate(_names)})
# 19 is what has no class, such as the own car.
_register('urbansyn', {raw: (*CITYSCAPES_CLASSES, None)[raw] for raw in range(20)})
# Level 1, seven classes of its own. Its ids are also train ids of Cityscapes, so the wrong table raises no error.
register_label_table('idd_lite', {**{n: n for n in range(7)}, IGNORE_INDEX: IGNORE_INDEX})
# Users report a stray 9 in some masks.
register_label_table('loveda', _shifted(7, 9))
register_label_table('isprs', _shifted(6))
