from .constructor import PerModuleOptimWrapperConstructor
from .legacy_sgd import LegacySGD
from .wrappers import AdaptorOptimWrapperDict, ModuleOptimWrapper

__all__ = ['AdaptorOptimWrapperDict', 'LegacySGD', 'ModuleOptimWrapper', 'PerModuleOptimWrapperConstructor']
