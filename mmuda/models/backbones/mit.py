"""MiT, the backbone of SegFormer and DAFormer, with the numerics of its released weights."""

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
        embed_dims: Channels of the first stage, and of each attention head.
        num_layers: Number of blocks of each stage.
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
"""Number of attention heads of each stage, in every variant. A stage has ``embed_dims`` channels for each head."""


@MODELS.register_module()
class MiT(MixVisionTransformer):
    """mmseg's ``MixVisionTransformer`` (Xie et al., SegFormer, NeurIPS 2021) with the sizes of the named variants.

    There are three differences from mmseg's:

    - Stochastic depth is on, as in the training of SegFormer and DAFormer.
    - The layer norms after patch embeddings and after the spatial reductions of attention have the epsilon of the
      original, 1e-5. mmseg has 1e-6 everywhere, which changes the features of nearly constant parts of an image.
    - Attention does not return its weights, which mmseg drops. PyTorch can then use its fused kernels.

    The outputs have strides 4, 8, 16 and 32 and 64, 128, 320 and 512 channels; those of B0 have 32, 64, 160 and 256.
    ``StrictPretrained`` loads the files that NVIDIA released (``mit_b5.pth``) and those that mmseg converted.

    Args:
        variant: ``'b0'`` to ``'b5'``.
        reduction_eps: Epsilon of the layer norms after patch embeddings and spatial reductions. None: that of the
            other layer norms.
        drop_path_rate: Rate of stochastic depth in the last block; it grows linearly from 0 in the first block.
        **kwargs: As mmseg's ``MixVisionTransformer``; they override the settings of the variant.

    Raises:
        ValueError: For an unknown variant.
    """

    LAYOUT: ClassVar[Layout] = MIT

    def __init__(
        self, variant: str = 'b5', reduction_eps: float | None = 1e-5, drop_path_rate: float = 0.1, **kwargs: Any
    ) -> None:
        if variant not in VARIANTS:
            raise ValueError(f'MiT: variant={variant!r}, expected one of {", ".join(VARIANTS)}')
        size = dict(
            embed_dims=VARIANTS[variant].embed_dims, num_layers=VARIANTS[variant].num_layers, num_heads=NUM_HEADS
        )
        place = torch.empty(()).device
        # On the CPU: mmseg computes drop-path rates as tensors and reads their values, and "meta" tensors have none.
        with torch.device('cpu'):
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
    """Return the arguments of an attention layer with ``need_weights=False``."""
    return args, {**kwargs, 'need_weights': False}
