"""Papers of several steps: stages, the runner that executes them, and its ledger."""

from .base import Stage
from .building import build_stages, make_context, network_config, training_config
from .context import StageContext
from .inference import InferenceStage
from .label import LabelStage
from .prior import PriorStage
from .rank import RankStage
from .rounds import CBSTRounds, RoundStage
from .runner import StagedRunner
from .statistics import StatisticsStage
from .target_batch_norm import TargetBatchNorm, target_images
from .train import TrainStage

__all__ = [
    'CBSTRounds',
    'InferenceStage',
    'LabelStage',
    'PriorStage',
    'RankStage',
    'RoundStage',
    'Stage',
    'StageContext',
    'StagedRunner',
    'StatisticsStage',
    'TargetBatchNorm',
    'TrainStage',
    'build_stages',
    'make_context',
    'network_config',
    'target_images',
    'training_config',
]
