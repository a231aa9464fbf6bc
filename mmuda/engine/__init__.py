from mmuda.checkpoints.reading import read_checkpoint  # makes mmengine's loaders safe, too

from .distributed import AdaptorDistributedDataParallel
from .hooks import *  # noqa: F401,F403
from .optim import *  # noqa: F401,F403
from .runner import AdaptationRunner
from .staged_runner import StagedRunner, network_config
from .stages import *  # noqa: F401,F403

__all__ = ['AdaptationRunner', 'AdaptorDistributedDataParallel', 'StagedRunner', 'network_config', 'read_checkpoint']
