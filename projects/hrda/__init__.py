from .fusion import fuse
from .hrda_encoder_decoder import HRDAEncoderDecoder, HRDAOutputs
from .hrda_head import HRDAHead, HRDALogits
from .windows import Box, cut_windows, draw_box, join_windows, sliding_windows

__all__ = [
    'Box',
    'HRDAEncoderDecoder',
    'HRDAHead',
    'HRDALogits',
    'HRDAOutputs',
    'cut_windows',
    'draw_box',
    'fuse',
    'join_windows',
    'sliding_windows',
]
