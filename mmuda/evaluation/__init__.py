from .domain_iou import DomainIoUMetric
from .protocols import PROTOCOLS

__all__ = ['DomainIoUMetric', 'PROTOCOLS']
