from .distributed import AdaptorDistributedDataParallel
from .hooks import *  # noqa: F401,F403
from .optim import *  # noqa: F401,F403
from .runner import AdaptationRunner

__all__ = ['AdaptationRunner', 'AdaptorDistributedDataParallel']
