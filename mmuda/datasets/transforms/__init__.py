from .class_crop import RandomClassCrop
from .loading import LoadDomainAnnotations, LoadDomainImage
from .mining_crop import SmallClassCrop, plan_crop
from .photometric import ColorJitter, RandomGaussianBlur, RandomPillowGrayscale
from .pillow_resize import ResizeLongSide, pillow_resize
from .pseudo_label import LoadPseudoLabel
from .scale_crop import PadCrop, RandomScale, plan_scale, plan_window

__all__ = [
    'ColorJitter',
    'LoadDomainAnnotations',
    'LoadDomainImage',
    'LoadPseudoLabel',
    'PadCrop',
    'RandomClassCrop',
    'RandomGaussianBlur',
    'RandomPillowGrayscale',
    'RandomScale',
    'ResizeLongSide',
    'SmallClassCrop',
    'pillow_resize',
    'plan_crop',
    'plan_scale',
    'plan_window',
]
