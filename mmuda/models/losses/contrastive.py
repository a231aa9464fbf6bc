"""SDCA's contrastive loss against class distributions."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmuda.constants import IGNORE_INDEX

SMALLEST = 1e-12
"""Vectors shorter than this are divided by it, as PyTorch's ``normalize`` does."""


def contrastive_bound(
    maps: Tensor, labels: Tensor, mean: Tensor, variance: Tensor, tau: float = 100.0, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    r"""Upper bound of the contrastive loss with infinitely many positives and negatives (Li et al., SDCA, 2021).

    With all vectors L2-normalised, the class variances :math:`v_c` too, and :math:`x^2` element by element,

    .. math:: z_{nc} = \frac{x_n \cdot m_c}{\tau} + \frac{x_n^2 \cdot v_c}{2 \tau^2}, \qquad
       L = \frac{1}{|\mathcal{V}|} \sum_{n \in \mathcal{V}} \log \sum_c e^{z_{nc}} - \frac{x_n \cdot m_{y_n}}{\tau}

    over the labelled pixels: the quadratic part of the positive logit cancels against the second mean of the bound.
    With the paper's :math:`\tau = 100` it stays within a percent of :math:`\log C`. No labelled pixel: a zero that
    depends on ``maps`` (the original: NaN, with zero gradient).

    Everything is a product of (C, D) and (D, pixels) matrices, forward and backward; nothing of C x D x pixels is made,
    and two maps of the size of ``maps`` are the most that is held beside it. Computed in float32, without autocast.

    Args:
        maps: Features or logits (N, D, h, w); gradients flow into them.
        labels: (N, h, w) int64.
        mean: Class means (C, D), constants.
        variance: Class variances by dimension (C, D), constants; a class that was never seen has zeros and takes part.
        tau: Temperature.
        ignore_index: The ignored label; negative ones are ignored, too.
    """
    with torch.autocast(maps.device.type, enabled=False):
        return _Bound.apply(maps.float(), labels, mean.detach().float(), variance.detach().float(), tau, ignore_index)


class Logits(NamedTuple):
    """Parts of the class logits of pixels.

    Attributes:
        linear: :math:`x \\cdot m_c / \\tau`, (N, C, P).
        quadratic: :math:`x^2 \\cdot v_c / (2 \\tau^2)`, (N, C, P).
        scale: One over the length of each pixel's vector, (N, 1, P).
        cut: Whether that length was below the smallest, (N, 1, P).
    """

    linear: Tensor
    quadratic: Tensor
    scale: Tensor
    cut: Tensor


def class_logits(maps: Tensor, mean: Tensor, variance: Tensor, tau: float) -> Logits:
    """The two parts of :math:`z`, of maps (N, D, P) and normalised statistics (C, D)."""
    length = torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    scale = 1 / length.clamp(min=SMALLEST)
    # Scaled behind the products: normalised maps are never made.
    linear = (mean @ maps) * (scale / tau)
    quadratic = (variance @ maps.square()) * (scale.square() / (2 * tau**2))
    return Logits(linear, quadratic, scale, length < SMALLEST)


class _Bound(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, maps: Tensor, labels: Tensor, mean: Tensor, variance: Tensor, tau: float, ignore_index: int
    ) -> Tensor:
        flat, labels = maps.flatten(2), labels.flatten(1)
        mean, variance = F.normalize(mean, eps=SMALLEST), F.normalize(variance, eps=SMALLEST)
        parts = class_logits(flat, mean, variance, tau)
        valid = (labels != ignore_index) & (labels >= 0)
        weight = valid / valid.sum().clamp(min=1)  # on the device: asking for the number would stall the step
        positive = labels.masked_fill(~valid, 0)[:, None]
        z = parts.linear + parts.quadratic
        loss = z.logsumexp(dim=1) - parts.linear.gather(1, positive)[:, 0]
        ctx.save_for_backward(maps, labels, mean, variance, positive, weight, *parts)
        ctx.tau = tau
        return (loss * weight).sum()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        maps, labels, mean, variance, positive, weight, linear, quadratic, scale, cut = ctx.saved_tensors
        flat, weight = maps.flatten(2), (grad * weight)[:, None]
        to_quadratic = (linear + quadratic).softmax(dim=1) * weight
        to_linear = to_quadratic.scatter_add(1, positive, -weight)
        # Through the length of the vector, on which both parts depend by their scale.
        along = (to_linear * linear + 2 * to_quadratic * quadratic).sum(dim=1, keepdim=True) * scale.square()
        along = along.masked_fill_(cut, 0)
        out = variance.T @ (to_quadratic * (scale.square() / ctx.tau**2))
        out.sub_(along).mul_(flat)
        out.baddbmm_(mean.T.expand(len(out), -1, -1), to_linear * (scale / ctx.tau))
        return out.view_as(maps), None, None, None, None, None
