"""The fully-convolutional domain discriminator of AdaptSegNet and ADVENT."""

from itertools import pairwise

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class FCDiscriminatorHead(BaseModule):
    """Five 4x4 convolutions of stride 2 that score the domain of each patch (Tsai et al., CVPR 2018, section 3.3).

    The numbers of channels are ``in_channels -> base -> 2 base -> 4 base -> 8 base -> 1``. Convolutions have biases,
    with LeakyReLU(0.2) between them. There is no normalisation, no sigmoid and no upsampling of the score map. Weights
    start from PyTorch's default initialisation.

    Args:
        in_channels: Channels C of the input map (class probabilities, weighted self-information, features).
        base_channels: Channels of the first convolution, 64 in the papers.
        init_cfg: As in mmengine.
    """

    def __init__(self, in_channels: int, base_channels: int = 64, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        widths = [in_channels] + [base_channels * factor for factor in (1, 2, 4, 8)] + [1]
        self.convs = nn.ModuleList(
            nn.Conv2d(c_in, c_out, kernel_size=4, stride=2, padding=1) for c_in, c_out in pairwise(widths)
        )
        self.act = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return domain logits (N, 1, H // 32, W // 32) of a map (N, C, H, W).

        Raises:
            ValueError: If height or width is below 32 pixels.
        """
        if min(x.shape[-2:]) < 32:
            raise ValueError(
                f'FCDiscriminatorHead halves its input five times and needs at least 32 pixels per side, '
                f'but its input is {tuple(x.shape[-2:])} (H, W): use larger crops'
            )
        *hidden, last = self.convs
        for conv in hidden:
            x = self.act(conv(x))
        return last(x)
