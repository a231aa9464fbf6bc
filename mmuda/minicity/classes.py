"""Raw ids of MiniCity: those of the Cityscapes and GTA5 label files."""

from mmuda.constants import IGNORE_INDEX
from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.datasets.label_tables import get_label_table

VOID_IDS = {'ego vehicle': 1, 'static': 4}
"""Raw ids, by name, of the objects that training and evaluation ignore."""

RAW_IDS = {
    **VOID_IDS,
    **{CITYSCAPES_CLASSES[train]: raw for raw, train in get_label_table('cityscapes').pairs if train != IGNORE_INDEX},
}
"""Raw ids, by name, of all objects that occur."""
