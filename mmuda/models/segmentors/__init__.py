"""Segmentors, their outputs, and the ways in which the papers predict."""

from .adaptive_encoder_decoder import PROBABILITIES_AT, AdaptiveEncoderDecoder
from .bicubic_encoder_decoder import BicubicEncoderDecoder, full_probabilities
from .logit_ensemble import LogitEnsemble, network_weights
from .mean_probability_tta import MeanProbabilityTTA
from .multi_scale_encoder_decoder import MultiScaleEncoderDecoder
from .pillow_resize import pillow_resize
from .probability_encoder_decoder import ProbabilityEncoderDecoder
from .recording import Recording, can_record, record, replay
from .seg_outputs import SegOutputs

__all__ = [
    'AdaptiveEncoderDecoder',
    'BicubicEncoderDecoder',
    'LogitEnsemble',
    'MeanProbabilityTTA',
    'MultiScaleEncoderDecoder',
    'PROBABILITIES_AT',
    'ProbabilityEncoderDecoder',
    'Recording',
    'SegOutputs',
    'can_record',
    'full_probabilities',
    'network_weights',
    'pillow_resize',
    'record',
    'replay',
]
