from .constructor import PerModuleOptimWrapperConstructor
from .legacy_sgd import LegacySGD
from .schedulers import WarmupPolyLR
from .wrappers import AdaptorOptimWrapperDict, ModuleOptimWrapper

__all__ = [
    'AdaptorOptimWrapperDict',
    'LegacySGD',
    'ModuleOptimWrapper',
    'PerModuleOptimWrapperConstructor',
    'WarmupPolyLR',
]
