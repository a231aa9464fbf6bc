"""The ResNet backbone of DeepLabV2 as the adaptation papers use it."""

from collections.abc import Sequence
from typing import Any

from mmseg.models.backbones import ResNet
from mmseg.registry import MODELS
from torch import nn


@MODELS.register_module()
class DeepLabResNet(ResNet):
    """mmseg's ResNet with the backbone of DeepLabV2 (Chen et al., TPAMI 2018) as AdaptSegNet and ADVENT built it.

    Differences from mmseg's defaults:

    - output stride 8, with the dilations (1, 1, 2, 4) of the stages in **every** block of a stage;
    - the stride of a bottleneck is in its first 1x1 convolution (``style='caffe'``);
    - the pooling of the stem has ``ceil_mode=True``: an image of 720x1280 gives 91x161, not 90x160;
    - scale and shift of batch-norm are frozen. In training it normalises with the statistics of the batch
      (``norm_eval=False``), so forward passes on source and target both update the running statistics.

    Parameters have mmseg's names, so any ResNet checkpoint with the names of mmseg or torchvision loads.

    Args:
        depth: 18, 34, 50, 101 or 152.
        strides: Stride of the first block of each stage.
        dilations: Dilation of each stage.
        out_indices: Stages whose features are returned, (0, 1, 2, 3) by default. The auxiliary head takes stage 2.
        norm_cfg: Config of the norm layers; batch-norm with frozen scale and shift by default.
        style: Layer of a bottleneck that has the stride: its first 1x1 convolution for ``'caffe'``, its 3x3
            convolution for ``'pytorch'``.
        **kwargs: As :class:`mmseg.models.ResNet`.
    """

    def __init__(
        self,
        depth: int,
        strides: Sequence[int] = (1, 2, 1, 1),
        dilations: Sequence[int] = (1, 1, 2, 4),
        norm_cfg: dict | None = None,
        style: str = 'caffe',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            depth,
            strides=strides,
            dilations=dilations,
            norm_cfg=norm_cfg or dict(type='BN', requires_grad=False),
            style=style,
            contract_dilation=False,
            **kwargs,
        )
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1, ceil_mode=True)
