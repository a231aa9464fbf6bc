"""MiT, the backbone of SegFormer and DAFormer, computing what its released weights were trained with."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from mmseg.models.backbones import MixVisionTransformer
from mmseg.registry import MODELS
from torch import nn

from mmuda.checkpoints.key_maps import MIT, Layout


class Variant(NamedTuple):
    """Sizes of a released variant.

    Attributes:
        embed_dims: Channels of the first stage, and of each head of attention.
        num_layers: Blocks of each stage.
    """

    embed_dims: int
    num_layers: tuple[int, ...]


VARIANTS = {
    'b0': Variant(32, (2, 2, 2, 2)),
    'b1': Variant(64, (2, 2, 2, 2)),
    'b2': Variant(64, (3, 4, 6, 3)),
    'b3': Variant(64, (3, 4, 18, 3)),
    'b4': Variant(64, (3, 8, 27, 3)),
    'b5': Variant(64, (3, 6, 40, 3)),
}

NUM_HEADS = (1, 2, 5, 8)
"""Heads of attention of each stage, in every variant. A stage has ``embed_dims`` channels for each of them."""


@MODELS.register_module()
class MiT(MixVisionTransformer):
    """mmseg's ``MixVisionTransformer`` (Xie et al., SegFormer, NeurIPS 2021) by the names of its variants.

    It differs from mmseg's in three ways. Stochastic depth is on, as in the training of SegFormer and DAFormer. The
    layer norms behind patch embeddings and reductions have the epsilon of the original, 1e-5, where mmseg has 1e-6 for
    all: nearly constant parts of an image would be scaled otherwise. And attention does not compute the mean of its
    weights over the heads, which nobody reads: PyTorch then takes its fused kernels.

    The outputs are (N, K, H/4, W/4), (N, K', H/8, W/8), ... (N, K''', H/32, W/32), 64, 128, 320 and 512 channels but
    for B0. ``StrictPretrained`` reads the files that NVIDIA released (``mit_b5.pth``) and those that mmseg converted.

    Args:
        variant: ``'b0'`` to ``'b5'``.
        reduction_eps: Epsilon of the layer norms behind patch embeddings and reductions. None keeps that of the others.
        drop_path_rate: Stochastic depth of the last block; it grows linearly from 0 in the first.
        **kwargs: As mmseg's ``MixVisionTransformer``; they replace what the variant says.

    Raises:
        ValueError: For an unknown variant.
    """

    LAYOUT: ClassVar[Layout] = MIT

    def __init__(
        self, variant: str = 'b5', reduction_eps: float | None = 1e-5, drop_path_rate: float = 0.1, **kwargs: Any
    ) -> None:
        if variant not in VARIANTS:
            raise ValueError(f'there is no MiT {variant!r}, known are {", ".join(VARIANTS)}')
        size = dict(
            embed_dims=VARIANTS[variant].embed_dims, num_layers=VARIANTS[variant].num_layers, num_heads=NUM_HEADS
        )
        place = torch.empty(()).device
        with torch.device('cpu'):  # mmseg computes rates with tensors and reads them, which has no result on "meta"
            super().__init__(drop_path_rate=drop_path_rate, **{**size, **kwargs})
        self.to(place)
        for embedding, blocks, _ in self.layers:
            reductions = [block.attn for block in blocks if hasattr(block.attn, 'norm')]
            for part in (embedding, *reductions) if reduction_eps is not None else ():
                part.norm.eps = reduction_eps
            for block in blocks:
                block.attn.attn.register_forward_pre_hook(_without_weights, with_kwargs=True)

    @property
    def out_channels(self) -> Sequence[int]:
        """Channels of each output."""
        return [self.embed_dims * self.num_heads[stage] for stage in self.out_indices]


def _without_weights(attention: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Ask an attention for its output alone; mmseg drops the weights that come with it."""
    return args, {**kwargs, 'need_weights': False}
