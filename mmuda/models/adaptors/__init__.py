from .adabn import AdaBN
from .adaptsegnet import AdaptSegNet
from .advent import ADVENT
from .adversarial import OutputSpaceAdversary
from .base import BaseAdaptor
from .fada import FADA
from .freezing import frozen
from .minent import MinEnt
from .sdca import SDCA
from .self_training import SelfTraining
from .sim import SIM
from .source_only import SourceOnly

__all__ = [
    'ADVENT',
    'AdaBN',
    'AdaptSegNet',
    'BaseAdaptor',
    'FADA',
    'MinEnt',
    'OutputSpaceAdversary',
    'SDCA',
    'SIM',
    'SelfTraining',
    'SourceOnly',
    'frozen',
]
