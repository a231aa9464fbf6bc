from .building import build_dataset
from .classes import *  # noqa: F401,F403
from .crosscity import CrossCityDataset
from .domain_pair import DomainPairDataset
from .gta5 import GTA5Dataset
from .label_tables import get_label_table, register_label_table
from .pair_sampler import DomainPairSampler
from .raw_dataset import RawSegDataset
from .segmentation_list import SegmentationListDataset
from .synscapes import SynscapesDataset
from .synthia import SYNTHIADataset
from .transforms import *  # noqa: F401,F403

__all__ = [
    'CrossCityDataset', 'DomainPairDataset', 'DomainPairSampler', 'GTA5Dataset', 'RawSegDataset', 'SYNTHIADataset',
    'SegmentationListDataset', 'SynscapesDataset', 'build_dataset', 'get_label_table', 'register_label_table'
]
