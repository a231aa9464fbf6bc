"""Adaptors: models that train a segmentor together with the other networks of a method. One class is one method."""

from .adabn import AdaBN
from .adaptsegnet import AdaptSegNet
from .advent import ADVENT
from .adversarial import DomainAdversary, OutputSpaceAdversary
from .base import STEP, BaseAdaptor, Losses, Parts
from .dacs import DACS
from .fada import FADA
from .feature_adversary import FeatureAdversary
from .freezing import frozen
from .lovasz import LovaszAdaptor
from .minent import MinEnt
from .sdca import SDCA
from .self_training import SelfTraining
from .sim import SIM
from .source_only import SourceOnly
from .weighted_images import WeightedImages, pixel_losses

__all__ = [
    'ADVENT',
    'AdaBN',
    'AdaptSegNet',
    'BaseAdaptor',
    'DACS',
    'DomainAdversary',
    'FADA',
    'FeatureAdversary',
    'Losses',
    'LovaszAdaptor',
    'MinEnt',
    'OutputSpaceAdversary',
    'Parts',
    'SDCA',
    'SIM',
    'STEP',
    'SelfTraining',
    'SourceOnly',
    'WeightedImages',
    'frozen',
    'pixel_losses',
]
