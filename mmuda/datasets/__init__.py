from .building import build_dataset
from .classes import *  # noqa: F401,F403
from .crosscity import CrossCityDataset
from .domain_mix import DomainMixDataset, DomainMixSampler, mixed_collate, source_subset
from .domain_pair import DomainPairDataset
from .gta5 import GTA5Dataset
from .label_tables import get_label_table, register_label_table
from .pair_sampler import DomainPairSampler
from .pseudo_label_dataset import PseudoLabelDataset
from .raw_dataset import RawSegDataset
from .segmentation_list import SegmentationListDataset
from .synscapes import SynscapesDataset
from .synthia import SYNTHIADataset
from .transforms import *  # noqa: F401,F403

__all__ = [
    'CrossCityDataset', 'DomainMixDataset', 'DomainMixSampler', 'DomainPairDataset', 'DomainPairSampler', 'GTA5Dataset',
    'PseudoLabelDataset', 'RawSegDataset', 'SYNTHIADataset', 'SegmentationListDataset', 'SynscapesDataset',
    'build_dataset', 'get_label_table', 'mixed_collate', 'register_label_table', 'source_subset'
]
