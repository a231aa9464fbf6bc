"""DAFormer's head: feature maps of all stages are embedded, joined at the finest resolution and fused."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.aspp_head import ASPPModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.decode_heads.sep_aspp_head import DepthwiseSeparableASPPModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmuda.internals import head_inputs

FUSIONS = ('separable_aspp', 'aspp', 'conv')


@MODELS.register_module()
class DAFormerHead(BaseDecodeHead):
    """The decoder of DAFormer (Hoyer et al., CVPR 2022, section 4.1), with the names of its released weights.

    A linear layer embeds each feature map. All maps are resized to the size of the first one (bilinear) and
    concatenated. A fusion follows, then dropout of whole channels and a 1x1 convolution. The fusions are:

    - ``'separable_aspp'``, the published one: parallel convolutions, one of them 1x1 and the others depthwise-separable
      3x3 with dilation, then a 3x3 convolution over their concatenated outputs. There is no image pooling.
    - ``'aspp'``: the same with full 3x3 convolutions.
    - ``'conv'``: one 1x1 convolution, as in the scale attention of HRDA.

    Norm and ReLU follow every convolution of a fusion, depthwise ones included.

    Args:
        in_channels: Channels of each feature map.
        in_index: Indices of these feature maps in the output of the backbone. The first one determines the size.
        num_classes: C; the output is (N, C, h, w).
        channels: Channels of the fusion.
        embed_dims: Channels of each embedded feature map.
        fusion: ``'separable_aspp'``, ``'aspp'`` or ``'conv'``.
        dilations: Dilations of the parallel convolutions; 1 stands for the 1x1 convolution.
        norm_cfg: Config of the norm layers of the fusion. None: no norm, and convolutions have a bias.
        align_corners: Corner convention of the bilinear resizing.
        loss_decode: As in mmseg; by default cross-entropy, averaged over labelled pixels.
        **kwargs: As :class:`mmseg.models.decode_heads.decode_head.BaseDecodeHead`.

    Raises:
        ValueError: If the fusion is unknown, or ``in_channels`` and ``in_index`` differ in length.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        in_index: Sequence[int],
        num_classes: int,
        channels: int = 256,
        embed_dims: int = 256,
        fusion: str = 'separable_aspp',
        dilations: Sequence[int] = (1, 6, 12, 18),
        norm_cfg: dict | None = dict(type='BN', requires_grad=True),  # noqa: B006  mmseg never changes it
        align_corners: bool = False,
        loss_decode: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if fusion not in FUSIONS:
            raise ValueError(f'DAFormerHead: fusion={fusion!r}, expected one of {", ".join(FUSIONS)}')
        if len(in_channels) != len(in_index):
            raise ValueError(
                'DAFormerHead needs one number of channels for each feature map, but in_channels='
                f'{list(in_channels)} has another length than in_index={list(in_index)}'
            )
        super().__init__(
            list(in_channels),
            channels,
            num_classes=num_classes,
            out_channels=num_classes,  # without it, mmseg warns if there are two classes
            in_index=list(in_index),
            input_transform='multiple_select',
            norm_cfg=norm_cfg,
            align_corners=align_corners,
            loss_decode=loss_decode or dict(type='CrossEntropyLoss', avg_non_ignore=True),
            **kwargs,
        )
        self.fusion, self.dilations = fusion, tuple(dilations)
        self.embed_layers = nn.ModuleList(Embedding(count, embed_dims) for count in in_channels)
        layers = dict(conv_cfg=self.conv_cfg, norm_cfg=norm_cfg, act_cfg=self.act_cfg)
        joined = embed_dims * len(in_channels)
        if fusion == 'conv':
            self.fuse_layer: nn.Module = ConvModule(joined, channels, 1, **layers)
        else:
            self.fuse_layer = ParallelFusion(
                joined, channels, self.dilations, separable=fusion == 'separable_aspp', **layers
            )

    def weights_meta(self) -> dict[str, Any]:
        """Return the dilations, if the fusion has any, for the meta data of a checkpoint.

        They cannot be derived from names and shapes of the weights.
        """
        return {} if self.fusion == 'conv' else dict(dilations=list(self.dilations))

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return logits (N, C, h, w) from the feature maps of all stages, each (N, K, h, w)."""
        maps = [embed(x) for embed, x in zip(self.embed_layers, head_inputs(self, inputs), strict=True)]
        size = maps[0].shape[-2:]
        same_size = [
            x
            if x.shape[-2:] == size
            else F.interpolate(x, size=size, mode='bilinear', align_corners=self.align_corners)
            for x in maps
        ]
        return self.cls_seg(self.fuse_layer(torch.cat(same_size, dim=1)))


class Embedding(nn.Module):
    """A linear layer over the channels of each pixel.

    Args:
        in_channels: Channels of the input (N, K, h, w).
        channels: Channels of the output.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, h, w)."""
        # A 1x1 convolution needs no transposed copies; the linear layer would need two.
        return F.conv2d(x, self.proj.weight[..., None, None], self.proj.bias)


class ParallelFusion(nn.Module):
    """Parallel dilated convolutions and a 3x3 convolution over their concatenated outputs.

    Args:
        in_channels: Channels of the input (N, K, h, w).
        channels: Channels of each parallel convolution and of the output.
        dilations: Dilations of the parallel convolutions; 1 stands for a 1x1 convolution.
        separable: Split each 3x3 convolution into a depthwise 3x3 and a 1x1 convolution.
        conv_cfg: As in mmcv.
        norm_cfg: As in mmcv.
        act_cfg: As in mmcv.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        dilations: Sequence[int],
        separable: bool,
        conv_cfg: dict | None,
        norm_cfg: dict | None,
        act_cfg: dict,
    ) -> None:
        super().__init__()
        layers = dict(conv_cfg=conv_cfg, norm_cfg=norm_cfg, act_cfg=act_cfg)
        kind = DepthwiseSeparableASPPModule if separable else ASPPModule
        self.aspp_modules = kind(dilations=dilations, in_channels=in_channels, channels=channels, **layers)
        self.bottleneck = ConvModule(len(dilations) * channels, channels, 3, padding=1, **layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, h, w)."""
        return self.bottleneck(torch.cat(self.aspp_modules(x), dim=1))
