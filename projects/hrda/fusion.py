"""Fusion of HRDA, which joins the predictions of two resolutions."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .windows import Box


def fuse(
    context: Tensor,
    detail: Tensor,
    attention: Tensor | float,
    size: Sequence[int],
    stride: int,
    context_scale: float,
    box: Box | None = None,
    align_corners: bool = False,
) -> tuple[Tensor, Tensor]:
    r"""Return fused logits and the attenuated logits of the context (Hoyer et al., "HRDA", ECCV 2022, eqs. 6 to 9).

    .. math:: l' = (1 - a) \odot l, \qquad P = \zeta(a) \odot Z(g) + \zeta(l')

    l are the logits of the context, g those of the detail, and a is the scale attention. :math:`\zeta` enlarges to the
    resolution of the detail, and Z puts the crop at its place among zeros. Outside of the crop a is 0, so only the
    context counts there. As in the released code the *product* l' is enlarged, not its factors.

    Args:
        context: (N, C, h, w).
        detail: (N, C, h', w') of the crop, or of the whole image.
        attention: (N, C or 1, h, w) in [0, 1], or a number.
        size: (H, W) of the result: the size of the whole image in cells of the detail.
        stride: Side of a cell of the detail, in pixels of the image.
        context_scale: Size of the context image relative to the image.
        box: Crop that the detail shows, in pixels of the image; None for the whole image. If an edge of the crop is
            inside a cell of the context, the mask of the attention begins or ends at the start of this cell. Crops that
            are aligned with the cells avoid that.
        align_corners: Corner convention of the enlargement.

    Returns:
        Fused logits (N, C, H, W), and l' (N, C, h, w).
    """

    def enlarge(maps: Tensor) -> Tensor:
        if tuple(maps.shape[-2:]) == tuple(size):
            return maps
        return F.interpolate(maps, size=tuple(size), mode='bilinear', align_corners=align_corners)

    if box is not None:
        mask = torch.zeros_like(context[:1, :1])
        box.cells(stride / context_scale).of(mask).fill_(1)
        attention = attention * mask
        place = box.cells(stride)
        detail = F.pad(detail, (place.left, size[1] - place.right, place.top, size[0] - place.bottom))
    attenuated = (1 - attention) * context
    share = enlarge(attention) if isinstance(attention, Tensor) else attention
    return share * detail + enlarge(attenuated), attenuated
