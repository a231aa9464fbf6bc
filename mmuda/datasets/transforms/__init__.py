"""Transforms of images and labels: loading, random crops and scales, changes of colour."""

from .class_crop import RandomClassCrop
from .crop_plan import plan_crop
from .loading import LoadDomainAnnotations, LoadDomainImage
from .mining_crop import SmallClassCrop
from .photometric import ColorJitter, RandomGaussianBlur, RandomPillowGrayscale
from .pillow_resize import ResizeLongSide, pillow_resize
from .predict_size import PredictAtLabelSize
from .pseudo_label import LoadPseudoLabel
from .scale_crop import PadCrop, RandomScale, plan_scale, plan_window
from .trusted_pixels import LoadTrustedPixels, PackDomainInputs
from .window import LoadDomainWindow

__all__ = [
    'ColorJitter',
    'LoadDomainAnnotations',
    'LoadDomainImage',
    'LoadDomainWindow',
    'LoadPseudoLabel',
    'LoadTrustedPixels',
    'PackDomainInputs',
    'PadCrop',
    'PredictAtLabelSize',
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
