from .adaptive_encoder_decoder import AdaptiveEncoderDecoder
from .seg_outputs import SegOutputs

__all__ = ['AdaptiveEncoderDecoder', 'SegOutputs']
