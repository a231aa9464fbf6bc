from .building import build_dataset
from .classes import *  # noqa: F401,F403
from .crosscity import CrossCityDataset
from .domain_pair import DomainPairDataset
from .gta5 import GTA5Dataset
from .pair_sampler import DomainPairSampler
from .segmentation_list import SegmentationListDataset
from .synscapes import SynscapesDataset
from .synthia import SYNTHIADataset
from .transforms import *  # noqa: F401,F403

__all__ = [
    'CrossCityDataset', 'DomainPairDataset', 'DomainPairSampler', 'GTA5Dataset', 'SYNTHIADataset',
    'SegmentationListDataset', 'SynscapesDataset', 'build_dataset'
]
