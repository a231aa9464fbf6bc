from importlib.util import find_spec

from .masking import IMAGES, MaskDraws, Masking
from .mic import MASKED, MICDACS, MaskedConsistency, MaskedSelfTraining, MICAdaptSegNet, MICMinEnt, SourceMean

__all__ = [
    'IMAGES',
    'MASKED',
    'MICAdaptSegNet',
    'MICDACS',
    'MICMinEnt',
    'MaskDraws',
    'MaskedConsistency',
    'MaskedSelfTraining',
    'Masking',
    'SourceMean',
]

# The other methods need no other plug-in, so they also work where the folder of DAFormer was not copied.
if find_spec('projects.daformer') is not None:
    from .mic_daformer import MICDAFormer

    __all__ += ['MICDAFormer']
