"""Optimizers of adaptors, one for each trainable child, and learning rate schedules."""

from .constructor import ENTRY_KEYS, SHARED_KEYS, PerModuleOptimWrapperConstructor
from .legacy_sgd import LegacySGD
from .schedulers import WarmupPolyLR
from .wrappers import AdaptorOptimWrapperDict, ModuleOptimWrapper

__all__ = [
    'ENTRY_KEYS',
    'SHARED_KEYS',
    'AdaptorOptimWrapperDict',
    'LegacySGD',
    'ModuleOptimWrapper',
    'PerModuleOptimWrapperConstructor',
    'WarmupPolyLR',
]
