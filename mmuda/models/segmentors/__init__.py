from .adaptive_encoder_decoder import AdaptiveEncoderDecoder
from .logit_ensemble import LogitEnsemble
from .mean_probability_tta import MeanProbabilityTTA
from .seg_outputs import SegOutputs

__all__ = ['AdaptiveEncoderDecoder', 'LogitEnsemble', 'MeanProbabilityTTA', 'SegOutputs']
