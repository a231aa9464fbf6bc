"""Source and target side by side: pairs, unions, their samplers and the order of the source."""

from .class_balanced import ClassBalancedOrder, class_balanced_sequence
from .domain_mix import DomainMixDataset, DomainMixSampler, mixed_collate, source_subset
from .domain_pair import DomainPairDataset
from .pair_sampler import DomainPairSampler
from .rare_class import RareClassDraws, RareClassOrder
from .streams import DrawnImage

__all__ = [
    'ClassBalancedOrder',
    'DomainMixDataset',
    'DomainMixSampler',
    'DomainPairDataset',
    'DomainPairSampler',
    'DrawnImage',
    'RareClassDraws',
    'RareClassOrder',
    'class_balanced_sequence',
    'mixed_collate',
    'source_subset',
]
