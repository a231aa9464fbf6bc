from .ensemble import ProbabilityEnsemble, SoftEncoderDecoder
from .fcn8s import FCNVGG16, FCN8sHead
from .fda import FDA
from .labels import BandLabelStage, QuantileCap
from .open_crop import OpenCrop
from .robust_entropy import RELEASED_NORM, robust_entropy
from .rounds import BandRounds
from .spectrum import WINDOWS, swap_spectrum, window_bounds, window_size
from .styled_pairs import StyledPairDataset

__all__ = [
    'FDA',
    'RELEASED_NORM',
    'WINDOWS',
    'BandLabelStage',
    'BandRounds',
    'FCN8sHead',
    'FCNVGG16',
    'OpenCrop',
    'ProbabilityEnsemble',
    'QuantileCap',
    'SoftEncoderDecoder',
    'StyledPairDataset',
    'robust_entropy',
    'swap_spectrum',
    'window_bounds',
    'window_size',
]
