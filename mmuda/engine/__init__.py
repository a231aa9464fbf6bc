"""Running a config: runner, distributed training, hooks, optimizers, resuming, predictions."""

from .distributed import AdaptorDistributedDataParallel
from .hooks import *  # noqa: F401,F403
from .log_processor import BriefLogProcessor
from .optim import *  # noqa: F401,F403
from .runner import AdaptationRunner

__all__ = ['AdaptationRunner', 'AdaptorDistributedDataParallel', 'BriefLogProcessor']
