from .adaptive_encoder_decoder import AdaptiveEncoderDecoder
from .logit_ensemble import LogitEnsemble
from .seg_outputs import SegOutputs

__all__ = ['AdaptiveEncoderDecoder', 'LogitEnsemble', 'SegOutputs']
