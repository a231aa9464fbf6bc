"""The classifier of ResNet-38 for segmentation."""

from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmuda.internals import head_inputs


@MODELS.register_module()
class ResNet38Head(BaseDecodeHead):
    """Two dilated 3x3 convolutions with bias and a ReLU between them (Wu et al., 2016; conv6a and linear of CBST).

    Unlike mmseg's, the last convolution, ``conv_seg``, is 3x3 too. Weights start from N(0, 2 / fan_in), biases from 0.

    Args:
        in_channels: Channels of the feature map (N, K, h, w), 4096 for ResNet-38.
        num_classes: C; the output is (N, C, h, w).
        channels: Channels between the two convolutions.
        dilation: Dilation (= padding) of both convolutions.
        align_corners: Corner convention of the bilinear upsampling of the logits.
        dropout_ratio: Probability of dropout of whole channels before the last convolution.
        loss_decode: As in mmseg; by default cross-entropy, averaged over labelled pixels.
        init_cfg: As in mmengine.
        **kwargs: As :class:`mmseg.models.decode_heads.decode_head.BaseDecodeHead`.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        channels: int = 512,
        dilation: int = 12,
        align_corners: bool = False,
        dropout_ratio: float = 0.0,
        loss_decode: dict | None = None,
        init_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault('in_index', 0)
        super().__init__(
            in_channels,
            channels=channels,
            num_classes=num_classes,
            out_channels=num_classes,  # without it, mmseg warns if there are two classes
            align_corners=align_corners,
            dropout_ratio=dropout_ratio,
            loss_decode=loss_decode or dict(type='CrossEntropyLoss', avg_non_ignore=True),
            init_cfg=init_cfg or dict(type='Kaiming', layer='Conv2d', mode='fan_in', distribution='normal'),
            **kwargs,
        )
        self.conv6a = nn.Conv2d(in_channels, channels, 3, padding=dilation, dilation=dilation)
        self.conv_seg = nn.Conv2d(channels, num_classes, 3, padding=dilation, dilation=dilation)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return logits (N, C, h, w) from the feature maps of all stages; ``in_index`` selects one, (N, K, h, w)."""
        return self.cls_seg(self.conv6a(head_inputs(self, inputs)).relu_())
