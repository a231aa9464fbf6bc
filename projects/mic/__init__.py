from .masking import IMAGES, MaskDraws, Masking
from .mic import MASKED, MICDACS, MaskedConsistency, MaskedSelfTraining, MICAdaptSegNet, MICMinEnt
from .mic_daformer import MICDAFormer

__all__ = [
    'IMAGES',
    'MASKED',
    'MICAdaptSegNet',
    'MICDACS',
    'MICDAFormer',
    'MICMinEnt',
    'MaskDraws',
    'MaskedConsistency',
    'MaskedSelfTraining',
    'Masking',
]
