"""Networks, losses and methods: backbones, heads, segmentors, discriminators, teachers, memories and adaptors."""

from .adaptors import *  # noqa: F401,F403
from .backbones import *  # noqa: F401,F403
from .data_preprocessor import DomainPairPreprocessor, pixel_statistics  # noqa: F401
from .decode_heads import *  # noqa: F401,F403
from .discriminators import *  # noqa: F401,F403
from .pretrained import DeepLabPretrainedInit, StrictPretrainedInit  # noqa: F401
from .segmentors import *  # noqa: F401,F403
from .teachers import *  # noqa: F401,F403
