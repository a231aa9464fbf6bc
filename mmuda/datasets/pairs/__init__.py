"""Pairs and unions of a source and a target data set, their samplers, and the orders of the source images."""

from .class_balanced import ClassBalancedOrder, class_balanced_sequence
from .domain_pair import DomainPairDataset
from .domain_union import DomainUnionDataset, DomainUnionSampler, source_subset, union_collate
from .pair_sampler import DomainPairSampler
from .rare_class import RareClassDraws, RareClassOrder
from .streams import DrawnImage

__all__ = [
    'ClassBalancedOrder',
    'DomainUnionDataset',
    'DomainUnionSampler',
    'DomainPairDataset',
    'DomainPairSampler',
    'DrawnImage',
    'RareClassDraws',
    'RareClassOrder',
    'class_balanced_sequence',
    'union_collate',
    'source_subset',
]
