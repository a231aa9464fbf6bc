"""Decode heads of the adaptation papers."""

from .daformer_head import DAFormerHead
from .deeplabv2_head import DeepLabV2Head
from .resnet38_head import ResNet38Head

__all__ = ['DAFormerHead', 'DeepLabV2Head', 'ResNet38Head']
