"""Data sets as they are downloaded: one file for each."""

from .crosscity import CrossCityDataset
from .gta5 import GTA5Dataset
from .pseudo_label_dataset import PseudoLabelDataset
from .raw_dataset import RawSegDataset
from .segmentation_list import SegmentationListDataset
from .synscapes import SynscapesDataset
from .synthia import SYNTHIADataset

__all__ = [
    'CrossCityDataset',
    'GTA5Dataset',
    'PseudoLabelDataset',
    'RawSegDataset',
    'SYNTHIADataset',
    'SegmentationListDataset',
    'SynscapesDataset',
]
