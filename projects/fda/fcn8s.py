"""FCN-8s on VGG-16, the smaller network of FDA."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch.nn.functional as F
from mmcv.cnn.vgg import make_vgg_layer
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmuda.checkpoints.key_maps import Layout
from mmuda.internals import head_inputs

WIDTHS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
"""For each stage: the width of its convolutions, as a multiple of the first stage's width, and their number."""


@MODELS.register_module()
class FCNVGG16(BaseModule):
    """VGG-16 whose fully connected layers are convolutions (Long et al., "FCN", CVPR 2015, section 3.1).

    Returns three maps: (N, 256, h, w) of the third pooling at stride 8, (N, 512, h, w) of the fourth pooling at stride
    16, and (N, 4096, h, w) of fc7 at stride 32. Heights and widths are rounded up. All convolutions keep the size, fc6
    too. The original FCN pads images by 100 pixels instead.

    Args:
        base_channels: Width of the first convolutions, 64 in VGG-16; those of the stages scale with it.
        fc_channels: Width of fc6 and fc7, 4096 in VGG-16.
        dropout_ratio: Share of whole channels that are dropped after fc6 and after fc7.
        init_cfg: As in mmengine; by default PyTorch's initialisation. Files of torchvision's VGG-16 need no conversion:
            fc6 and fc7 are loaded, the classifier is left out.
    """

    LAYOUT: ClassVar[Layout] = (
        (r'classifier\.0\.weight', 'classifier.0.weight', lambda weight: weight.view(len(weight), -1, 7, 7)),
        (r'classifier\.3\.weight', 'classifier.3.weight', lambda weight: weight[:, :, None, None]),
        (r'classifier\.6\..+', None),
    )

    def __init__(
        self, base_channels: int = 64, fc_channels: int = 4096, dropout_ratio: float = 0.5, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        layers, channels = [], 3
        for factor, count in WIDTHS:
            layers += make_vgg_layer(channels, factor * base_channels, count, ceil_mode=True)
            channels = factor * base_channels
        self.features = nn.Sequential(*layers)
        self.taps = [place for place, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)][2:4]
        self.classifier = nn.Sequential(
            nn.Conv2d(channels, fc_channels, 7, padding=3),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout_ratio),
            nn.Conv2d(fc_channels, fc_channels, 1),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout_ratio),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the three maps of images (N, 3, H, W), the finest first."""
        maps = []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.taps:
                maps.append(x)
        return (*maps, self.classifier(x))


@MODELS.register_module()
class FCN8sHead(BaseDecodeHead):
    r"""Head of FCN-8s with scaled skips, whose logits have the size of the image.

    .. math:: z = U_8(U_2(U_2(s_7(f_7)) + s_4(10^{-2} p_4)) + s_3(10^{-4} p_3))

    with 1x1 convolutions s and bilinear enlargement U, which is not learnt. All streams are trained at once (Shelhamer
    et al., "FCN", TPAMI 2017, section 4.3).

    Args:
        in_channels: Channels of the maps of the backbone, the finest one first.
        num_classes: C; the output is (N, C, 8 h, 8 w), where the finest map is (N, K, h, w).
        scales: Factors of the maps, in the order of ``in_channels``.
        loss_decode: As in mmseg; by default cross-entropy as a mean over labelled pixels.
        **kwargs: As :class:`mmseg.models.decode_heads.decode_head.BaseDecodeHead`.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (256, 512, 4096),
        num_classes: int = 19,
        scales: Sequence[float] = (1e-4, 1e-2, 1.0),
        loss_decode: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            list(in_channels),
            channels=num_classes,
            num_classes=num_classes,
            out_channels=num_classes,  # mmseg would warn about one output channel for two classes
            in_index=list(range(len(in_channels))),
            input_transform='multiple_select',
            align_corners=False,
            dropout_ratio=0.0,
            loss_decode=loss_decode or dict(type='CrossEntropyLoss', avg_non_ignore=True),
            init_cfg=kwargs.pop('init_cfg', dict(type='Normal', std=0.01, layer='Conv2d')),
            **kwargs,
        )
        del self.conv_seg
        self.scales = tuple(scales)
        self.scores = nn.ModuleList(nn.Conv2d(count, num_classes, 1) for count in in_channels)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return logits (N, C, H, W) at the size of the image."""
        maps = head_inputs(self, inputs)
        *finer, logits = (score(scale * x) for score, scale, x in zip(self.scores, self.scales, maps, strict=True))
        for skip in reversed(finer):
            logits = self._enlarge(logits, skip.shape[2:]) + skip
        return self._enlarge(logits, [8 * side for side in logits.shape[2:]])

    def _enlarge(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        return F.interpolate(logits, tuple(size), mode='bilinear', align_corners=self.align_corners)
