"""Hooks of a training."""

from .batch_norm_sync_hook import BatchNormSyncHook
from .checkpoint_hook import AdaptationCheckpointHook
from .loss_weight_ramp_hook import LossWeightRampHook
from .progress_hook import ProgressHook
from .random_state_hook import RandomStateHook
from .step_scheduler_hook import StepSchedulerHook
from .stop_hook import StopHook
from .train_scalars_hook import TrainScalarsHook

__all__ = [
    'AdaptationCheckpointHook',
    'BatchNormSyncHook',
    'LossWeightRampHook',
    'ProgressHook',
    'RandomStateHook',
    'StepSchedulerHook',
    'StopHook',
    'TrainScalarsHook',
]
