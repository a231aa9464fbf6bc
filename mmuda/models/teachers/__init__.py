"""Parts of teacher-student methods: teacher, pseudo labels, class mixing, strong augmentation and block masks."""

from .block_mask import block_mask, draw_blocks
from .class_mix import CLASSES_OF, class_mask, draw_class_keys
from .color_jitter import JitterFactors, color_jitter, draw_jitter
from .counter import Counter
from .ema_teacher import EMATeacher
from .gaussian_blur import gaussian_blur
from .pseudo_labels import WEIGHTS, PseudoLabels, label_batch, pseudo_labels, trust
from .random_stream import RandomStream, to_device
from .strong_augmentation import AugmentationDraws, StrongAugmentation

__all__ = [
    'AugmentationDraws',
    'CLASSES_OF',
    'Counter',
    'EMATeacher',
    'JitterFactors',
    'PseudoLabels',
    'RandomStream',
    'StrongAugmentation',
    'WEIGHTS',
    'block_mask',
    'class_mask',
    'color_jitter',
    'draw_blocks',
    'draw_class_keys',
    'draw_jitter',
    'gaussian_blur',
    'label_batch',
    'pseudo_labels',
    'to_device',
    'trust',
]
