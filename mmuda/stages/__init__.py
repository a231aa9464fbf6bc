from .base import Stage
from .label import LabelStage, RankStage
from .prior import PriorStage
from .rounds import SelfTrainingRounds
from .runner import StagedRunner, network_config
from .statistics import StatisticsStage
from .train import TrainStage

__all__ = [
    'LabelStage',
    'PriorStage',
    'RankStage',
    'SelfTrainingRounds',
    'Stage',
    'StagedRunner',
    'StatisticsStage',
    'TrainStage',
    'network_config',
]
