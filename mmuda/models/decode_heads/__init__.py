from .deeplabv2_head import DeepLabV2Head
from .resnet38_head import ResNet38Head

__all__ = ['DeepLabV2Head', 'ResNet38Head']
