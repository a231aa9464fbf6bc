from .loading import LoadDomainAnnotations, LoadDomainImage
from .mining_crop import SmallClassCrop, plan_crop
from .pillow_resize import ResizeLongSide, auto_filter, pillow_resize
from .pseudo_label import LoadPseudoLabel

__all__ = [
    'LoadDomainAnnotations', 'LoadDomainImage', 'LoadPseudoLabel', 'ResizeLongSide', 'SmallClassCrop', 'auto_filter',
    'pillow_resize', 'plan_crop'
]
