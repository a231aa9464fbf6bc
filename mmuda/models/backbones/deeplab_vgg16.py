"""The VGG-16 backbone of DeepLabV2 as the adaptation papers use it."""

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

STAGES = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))
"""Numbers of channels of the convolutions of each stage, as multiples of ``base_channels``."""

FC = 16
"""Number of channels of fc6 and fc7, as a multiple of ``base_channels``."""


@MODELS.register_module()
class DeepLabVGG16(BaseModule):
    """VGG-16 at output stride 8 (AdaptSegNet's ``DeeplabVGG``).

    Pools 1 to 3 are kept (2x2, rounding down), pools 4 and 5 are left out. The convolutions conv5_1 to conv5_3 have
    dilation 2. The layers fc6 and fc7 are 3x3 convolutions to 1024 channels with dilation 4. There is no batch-norm and
    no dropout. The output is one feature map, (N, 1024, H // 8, W // 8).

    Args:
        base_channels: Channels of the first convolutions, 64 in VGG-16. All other widths scale with it: fc6, fc7 and
            the feature map have 16 times as many channels.
        init_cfg: As in mmengine; by default PyTorch's initialisation.
    """

    NOT_PRETRAINED = ('features.29.', 'features.31.')
    """Prefixes of fc6 and fc7. No ImageNet file has these convolutions; they start at random, as in the papers."""

    def __init__(self, base_channels: int = 64, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        layers, channels = [], 3
        for stage, widths in enumerate(STAGES):
            dilation = 2 if stage == 4 else 1
            for width in (base_channels * factor for factor in widths):
                layers += [nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation), nn.ReLU(inplace=True)]
                channels = width
            if stage < 3:
                layers.append(nn.MaxPool2d(2))
        for _ in range(2):  # fc6, fc7
            layers += [nn.Conv2d(channels, FC * base_channels, 3, padding=4, dilation=4), nn.ReLU(inplace=True)]
            channels = FC * base_channels
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the feature map of images (N, 3, H, W), see the class."""
        return (self.features(x),)
