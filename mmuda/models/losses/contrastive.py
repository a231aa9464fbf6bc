"""SDCA's contrastive loss with class distributions."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmuda.constants import IGNORE_INDEX

SMALLEST = 1e-12
"""Lower bound of the length by which a vector is divided, as in PyTorch's ``normalize``."""


def contrastive_bound(
    maps: Tensor, labels: Tensor, mean: Tensor, variance: Tensor, tau: float = 100.0, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    r"""Return the upper bound of the contrastive loss with infinitely many positives and negatives (SDCA).

    From Li et al. 2021, arXiv:2105.05013. Pixel vectors :math:`x_n`, class means :math:`m_c` and class variances
    :math:`v_c` are L2-normalised, and :math:`x^2` is taken element by element:

    .. math:: z_{nc} = \frac{x_n \cdot m_c}{\tau} + \frac{x_n^2 \cdot v_c}{2 \tau^2}, \qquad
       L = \frac{1}{|\mathcal{V}|} \sum_{n \in \mathcal{V}} \log \sum_c e^{z_{nc}} - \frac{x_n \cdot m_{y_n}}{\tau}

    The mean is taken over the set of labelled pixels, :math:`\mathcal{V}`. The positive term has no quadratic part,
    because it cancels in the bound. With the paper's :math:`\tau = 100` the loss stays within one percent of
    :math:`\log C`. Without a labelled pixel it is a differentiable zero (the original: NaN, with zero gradient).

    The forward and the backward pass are products of (C, D) and (D, pixels) matrices. There is no tensor of size
    C x D x pixels; at most two tensors of the size of ``maps`` are in memory besides it. Computed in float32, without
    autocast.

    Args:
        maps: Features or logits (N, D, h, w); gradients flow into them.
        labels: (N, h, w) int64.
        mean: Class means (C, D), constants.
        variance: Class variances of each dimension (C, D), constants. A class without pixels so far has zeros; it is
            still one of the classes in the sum.
        tau: Temperature.
        ignore_index: The ignored label; negative labels are ignored too.

    Returns:
        A scalar, float32.
    """
    with torch.autocast(maps.device.type, enabled=False):
        return _Bound.apply(maps.float(), labels, mean.detach().float(), variance.detach().float(), tau, ignore_index)


class Logits(NamedTuple):
    """The two parts of the class logits of P pixels, and the normalisation factor that both contain.

    Attributes:
        linear: :math:`x \\cdot m_c / \\tau`, (N, C, P).
        quadratic: :math:`x^2 \\cdot v_c / (2 \\tau^2)`, (N, C, P).
        scale: Reciprocal length of each pixel's vector, (N, 1, P).
        cut: Whether that length is below :data:`SMALLEST`, (N, 1, P) bool.
    """

    linear: Tensor
    quadratic: Tensor
    scale: Tensor
    cut: Tensor


def class_logits(maps: Tensor, mean: Tensor, variance: Tensor, tau: float) -> Logits:
    """Return the two parts of :math:`z`, see :func:`contrastive_bound`.

    Args:
        maps: (N, D, P), not normalised.
        mean: Normalised class means (C, D).
        variance: Normalised class variances (C, D).
        tau: Temperature.
    """
    length = torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    scale = 1 / length.clamp(min=SMALLEST)
    # The products are scaled instead of the maps, so no normalised copy of the maps is made.
    linear = (mean @ maps) * (scale / tau)
    quadratic = (variance @ maps.square()) * (scale.square() / (2 * tau**2))
    return Logits(linear, quadratic, scale, length < SMALLEST)


class _Bound(torch.autograd.Function):
    """The loss of :func:`contrastive_bound` with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, labels: Tensor, mean: Tensor, variance: Tensor, tau: float, ignore_index: int
    ) -> Tensor:
        flat, labels = maps.flatten(2), labels.flatten(1)
        mean, variance = F.normalize(mean, eps=SMALLEST), F.normalize(variance, eps=SMALLEST)
        parts = class_logits(flat, mean, variance, tau)
        valid = (labels != ignore_index) & (labels >= 0)
        weight = valid / valid.sum().clamp(min=1)  # on the device, to avoid a sync
        positive = labels.masked_fill(~valid, 0)[:, None]
        z = parts.linear + parts.quadratic
        loss = z.logsumexp(dim=1) - parts.linear.gather(1, positive)[:, 0]
        ctx.save_for_backward(maps, labels, mean, variance, positive, weight, *parts)
        ctx.tau = tau
        return (loss * weight).sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        maps, labels, mean, variance, positive, weight, linear, quadratic, scale, cut = ctx.saved_tensors
        flat, weight = maps.flatten(2), (grad * weight)[:, None]
        to_quadratic = (linear + quadratic).softmax(dim=1) * weight
        to_linear = to_quadratic.scatter_add(1, positive, -weight)
        # Derivative with respect to the length of the vector, which both parts contain in their scale.
        along = (to_linear * linear + 2 * to_quadratic * quadratic).sum(dim=1, keepdim=True) * scale.square()
        along = along.masked_fill_(cut, 0)
        out = variance.T @ (to_quadratic * (scale.square() / ctx.tau**2))
        out.sub_(along).mul_(flat)
        out.baddbmm_(mean.T.expand(len(out), -1, -1), to_linear * (scale / ctx.tau))
        return out.view_as(maps), None, None, None, None, None
