"""FDA: training on source images with the style of the target, and on the entropy of the target."""

from typing import Any

import torch
from mmseg.registry import MODELS

from mmuda.models import BaseAdaptor, Counter, SegOutputs
from mmuda.models.adaptors import Losses, Parts
from mmuda.models.labels import labels_of
from mmuda.models.losses import cross_entropy

from .robust_entropy import robust_entropy


@MODELS.register_module()
class FDA(BaseAdaptor):
    r"""Fourier domain adaptation (Yang and Soatto, CVPR 2020, eqs. 6 and 8).

    .. math:: L = L_{ce}(x^{s \to t}, y^s) + \lambda_{ent} L_{ent}(x^t) \; [+ L_{ce}(x^t, \hat y^t)]

    A :class:`StyledPairDataset` gives source images the style of the target. The entropy is that of the logits at their
    own size. With ``pseudo_labels`` there is the term in brackets: the target images then have labels from the mean of
    several networks, see :class:`BandLabelStage`.

    Args:
        segmentor: As in :class:`BaseAdaptor`.
        eta: See :func:`robust_entropy`.
        norm: See :func:`robust_entropy`; :data:`RELEASED_NORM` in the released code.
        entropy_after: The entropy loss begins after this iteration; iterations count from 0. With 0 only the first
            iteration has no entropy loss, as in the released code. With -1 all iterations have it. ``pseudo_labels``
            also turn it on from the start. Until then the target images pass through the network without gradients,
            which updates the statistics of batch-norm.
        pseudo_labels: Whether target images have labels.
        **kwargs: As :class:`BaseAdaptor`; loss weights ``seg_main``, ``ent_main`` (:math:`\lambda_{ent}`),
            ``pseudo_main``, and those of ``aux``.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, ent_main=0.005, ent_aux=0.0005, pseudo_main=1.0, pseudo_aux=0.1)

    def __init__(
        self,
        segmentor: dict,
        eta: float = 2.0,
        norm: float | None = None,
        entropy_after: int = -1,
        pseudo_labels: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(segmentor, **kwargs)
        self.eta, self.norm, self.entropy_after, self.pseudo_labels = eta, norm, entropy_after, pseudo_labels
        self.iterations = Counter()

    def adapt(self, source: dict, target: dict) -> Parts:
        yield 'segmentor', self.supervised_losses(self.segment(source), source)
        if self.pseudo_labels or self.iterations.read() > self.entropy_after:
            yield 'segmentor', self.target_losses(target)
        else:
            with torch.no_grad():
                self.entropies(self.segment(target))
        self.iterations.advance()

    def target_losses(self, target: dict) -> Losses:
        """Return the losses of a pass over target images: the entropies, and the cross-entropy of pseudo labels."""
        outputs = self.segment(dict(inputs=target['inputs']))
        losses = self.entropies(outputs)
        if self.pseudo_labels:
            labels = labels_of(target)
            found = {level: cross_entropy(*outputs.labelled(level, labels)) for level in outputs.levels}
            losses |= self.weigh('pseudo', found)
        return losses

    def entropies(self, outputs: SegOutputs) -> Losses:
        """Return the entropy of each level, ``loss_ent_<level>``."""
        return self.weigh(
            'ent', {level: robust_entropy(outputs.logits[level], self.eta, self.norm) for level in outputs.levels}
        )
