"""The base of methods that can also train with the Lovász-softmax loss."""

from torch import Tensor

from ..losses import lovasz_softmax
from .base import BaseAdaptor, Losses


class LovaszAdaptor(BaseAdaptor):
    """A :class:`BaseAdaptor` whose supervised losses can include :func:`lovasz_softmax`, as in SDCA.

    A level has this loss if ``loss_weights`` has a ``lov_<level>`` other than 0. The log shows ``loss_lov_<level>``.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, lov_main=0.0)

    def supervised_terms(self, level: str, logits: Tensor, labels: Tensor) -> Losses:
        """Return the base's loss as ``seg``, and the Lovász-softmax loss as ``lov`` if its weight is not 0."""
        terms = super().supervised_terms(level, logits, labels)
        if self.loss_weights.get(f'lov_{level}'):
            terms['lov'] = lovasz_softmax(logits, labels)
        return terms
