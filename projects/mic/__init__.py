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

try:
    from .mic_daformer import MICDAFormer
except ModuleNotFoundError as error:
    # The other methods need no other plug-in, so they also work where the folder of DAFormer was not copied.
    if error.name not in ('projects', 'projects.daformer', 'projects.daformer.daformer'):
        raise
else:
    __all__ += ['MICDAFormer']
