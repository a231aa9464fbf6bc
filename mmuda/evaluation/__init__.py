"""Metrics with and without labels of the target."""

from .domain_iou import DomainIoUMetric
from .label_free import LabelFreeMetric
from .label_free_hook import LabelFreeHook
from .protocols import PROTOCOLS
from .score_ranking import Ranking, rank_scores

__all__ = ['DomainIoUMetric', 'LabelFreeHook', 'LabelFreeMetric', 'PROTOCOLS', 'Ranking', 'rank_scores']
