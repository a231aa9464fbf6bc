"""MaxSquare: a complete method in one file."""

from collections.abc import Iterator
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmuda.models import BaseAdaptor
from mmuda.models.adaptors.base import Losses


def max_square_loss(logits: Tensor, ratio: float) -> Tensor:
    r"""Return the maximum squares loss with image-wise weights (Chen et al., ICCV 2019, eqs. 8 and 10).

    .. math:: L = -\sum_{n, c} \frac{p_{n,c}^2}{2 N_c^\alpha N^{1-\alpha}}

    The sum is over the pixels n and the classes c of an image; the result is the mean over images and classes.
    :math:`N_c` is the number of pixels of the image that are predicted as c, and N the number of all its pixels. The
    gradient grows linearly with confidence, so easy classes do not dominate as they do with the entropy.

    Args:
        logits: (B, C, H, W).
        ratio: The exponent alpha, 0.2 in the paper. With 0 all classes have one weight.
    """
    probs = logits.softmax(dim=1)
    batch, classes, height, width = probs.shape
    predicted = probs.detach().argmax(dim=1).flatten(1)
    counts = torch.zeros(batch, classes, device=probs.device).scatter_add_(
        1, predicted, torch.ones_like(predicted, dtype=torch.float32)
    )
    weights = 1 / (counts.clamp(min=1) ** ratio * float(height * width) ** (1 - ratio))
    return -(probs.square().sum(dim=(2, 3)) * weights).sum() / (2 * batch * classes)


@MODELS.register_module()
class MaxSquare(BaseAdaptor):
    """Domain adaptation with maximum squares loss (Chen, Xue, Cai; ICCV 2019), without multi-level guidance.

    Args:
        *args: As :class:`BaseAdaptor`.
        ratio: See :func:`max_square_loss`.
        **kwargs: As :class:`BaseAdaptor`; loss weights ``seg_main``, ``seg_aux``, ``square_main``, ``square_aux``.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, square_main=0.1, square_aux=0.01)

    def __init__(self, *args: Any, ratio: float = 0.2, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ratio = ratio

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        yield 'segmentor', self.supervised_losses(self.segment(source), source)
        outputs = self.segment(target)
        yield (
            'segmentor',
            self.weigh(
                'square', {level: max_square_loss(outputs.upsample(level), self.ratio) for level in outputs.levels}
            ),
        )
