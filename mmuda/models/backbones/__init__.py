"""Backbones of the adaptation papers."""

from .deeplab_resnet import DeepLabResNet
from .deeplab_vgg16 import DeepLabVGG16
from .efficientnet_lite import EfficientNetLite
from .mit import MiT
from .resnet38 import ResNet38

__all__ = ['DeepLabResNet', 'DeepLabVGG16', 'EfficientNetLite', 'MiT', 'ResNet38']
