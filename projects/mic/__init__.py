from .masking import IMAGES, MaskDraws, Masking
from .mic import MASKED, MaskedConsistency, MaskedSelfTraining, MICAdaptSegNet, MICDACS, MICMinEnt
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
