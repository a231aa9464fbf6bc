from .domain_pair import DomainPairDataset
from .pair_sampler import DomainPairSampler

__all__ = ['DomainPairDataset', 'DomainPairSampler']
