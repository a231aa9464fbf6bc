"""The classifier of DeepLabV2: parallel dilated convolutions whose outputs are added."""

from collections.abc import Sequence
from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmuda.internals import head_inputs


@MODELS.register_module()
class DeepLabV2Head(BaseDecodeHead):
    r"""Sum of 3x3 convolutions with different dilations (DeepLabV2's ASPP-L).

    .. math:: P = \sum_{k \in \text{summed}} \mathrm{conv}_{d_k}(x)

    The set of summed branches is part of a method: the released AdaptSegNet and SIM sum only the first two of four
    (their loop returns early), ADVENT and IntraDA all four. The other branches do not require gradients. They stay in
    the checkpoint with their initial values, as in the originals.

    Args:
        in_channels: Channels K of the feature map (N, K, h, w).
        num_classes: C; the output is (N, C, h, w).
        dilations: Dilation (= padding) of each branch.
        summed: Indices of the branches that are summed; all by default.
        align_corners: Corner convention of the bilinear upsampling of the logits.
        dropout_ratio: Probability of dropout of whole channels of the feature map.
        loss_decode: As in mmseg; by default cross-entropy, averaged over labelled pixels.
        init_cfg: By default weights with standard deviation 0.01 and PyTorch's uniform bias, as in the papers' code.
        out_channels: C by default. 1 for two classes with a sigmoid; then set ``threshold=0.5`` as well.
        **kwargs: As :class:`mmseg.models.decode_heads.decode_head.BaseDecodeHead` (``in_index``, ...).

    Raises:
        ValueError: If ``summed`` is empty or names a branch that does not exist.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        dilations: Sequence[int] = (6, 12, 18, 24),
        summed: Sequence[int] | None = None,
        align_corners: bool = True,
        dropout_ratio: float = 0.0,
        loss_decode: dict | None = None,
        init_cfg: dict | None = None,
        out_channels: int | None = None,
        **kwargs: Any,
    ) -> None:
        # mmseg warns if there are two classes and no out_channels; the papers have one channel for each class.
        out_channels = num_classes if out_channels is None else out_channels
        super().__init__(
            in_channels,
            channels=in_channels,
            num_classes=num_classes,
            out_channels=out_channels,
            align_corners=align_corners,
            dropout_ratio=dropout_ratio,
            loss_decode=loss_decode or dict(type='CrossEntropyLoss', avg_non_ignore=True),
            init_cfg=init_cfg,
            **kwargs,
        )
        del self.conv_seg
        self.dilations = tuple(dilations)
        self.summed = tuple(range(len(dilations)) if summed is None else summed)
        if not self.summed or not set(self.summed) <= set(range(len(dilations))):
            raise ValueError(
                f'DeepLabV2Head: summed={summed} must name some of the {len(dilations)} branches '
                f'(0 to {len(dilations) - 1}), one for each of dilations={tuple(dilations)}'
            )
        branches = [
            nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation) for dilation in dilations
        ]
        self.branches = nn.ModuleList(branches)
        for index, branch in enumerate(branches):
            branch.requires_grad_(index in self.summed)
        if init_cfg is None:
            for branch in branches:
                nn.init.normal_(branch.weight, std=0.01)

    def weights_meta(self) -> dict[str, Any]:
        """Return the summed branches and all dilations, for the meta data of a checkpoint.

        They cannot be derived from names and shapes of the weights.
        """
        return dict(summed_branches=list(self.summed), dilations=list(self.dilations))

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return logits (N, C, h, w) from the feature maps of all stages; ``in_index`` selects one, (N, K, h, w)."""
        x = head_inputs(self, inputs)
        if self.dropout is not None:
            x = self.dropout(x)
        first, *others = self.summed
        out = self.branches[first](x)
        for index in others:
            out = out + self.branches[index](x)
        return out
