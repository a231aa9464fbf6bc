"""Readers of data sets as downloaded, one file for each data set."""

from .acdc import ACDCDataset
from .crosscity import CrossCityDataset
from .dark_zurich import RawDarkZurichDataset
from .gta5 import GTA5Dataset
from .idd import IDDDataset, IDDLiteDataset
from .isprs import RawPotsdamDataset, RawVaihingenDataset
from .loveda import RawLoveDADataset
from .mapillary import MapillaryVistasDataset
from .pseudo_label_dataset import PseudoLabelDataset
from .published import PublishedDataset
from .raw_dataset import RawSegDataset
from .segmentation_list import SegmentationListDataset
from .synscapes import SynscapesDataset
from .synthia import SYNTHIADataset
from .urbansyn import UrbanSynDataset

__all__ = [
    'ACDCDataset',
    'CrossCityDataset',
    'GTA5Dataset',
    'IDDDataset',
    'IDDLiteDataset',
    'MapillaryVistasDataset',
    'PseudoLabelDataset',
    'PublishedDataset',
    'RawDarkZurichDataset',
    'RawLoveDADataset',
    'RawPotsdamDataset',
    'RawSegDataset',
    'RawVaihingenDataset',
    'SYNTHIADataset',
    'SegmentationListDataset',
    'SynscapesDataset',
    'UrbanSynDataset',
]
