from .building import build_dataset
from .class_balanced import ClassBalancedOrder, class_balanced_sequence
from .class_presence import class_counts, classes_present
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
    'ClassBalancedOrder',
    'CrossCityDataset',
    'DomainMixDataset',
    'DomainMixSampler',
    'DomainPairDataset',
    'DomainPairSampler',
    'GTA5Dataset',
    'PseudoLabelDataset',
    'RawSegDataset',
    'SYNTHIADataset',
    'SegmentationListDataset',
    'SynscapesDataset',
    'build_dataset',
    'class_balanced_sequence',
    'class_counts',
    'classes_present',
    'get_label_table',
    'mixed_collate',
    'register_label_table',
    'source_subset',
]
