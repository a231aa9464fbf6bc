from .deeplab_resnet import DeepLabResNet
from .deeplab_vgg16 import DeepLabVGG16

__all__ = ['DeepLabResNet', 'DeepLabVGG16']
