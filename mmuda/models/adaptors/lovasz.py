"""Methods that also train with the Lovász-softmax loss."""

from torch import Tensor

from ..losses import lovasz_softmax
from .base import BaseAdaptor, Losses


class LovaszAdaptor(BaseAdaptor):
    """A :class:`BaseAdaptor` whose supervised losses include Lovász-softmax (:func:`lovasz_softmax`), as SDCA's do.

    A level takes part if ``loss_weights`` has ``lov_<level>`` and it is not 0. The log shows ``loss_lov_<level>``.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, lov_main=0.0)

    def supervised_terms(self, level: str, logits: Tensor, labels: Tensor) -> Losses:
        """Return the loss of the base as ``seg``, and Lovász-softmax as ``lov`` if its weight is not 0."""
        terms = super().supervised_terms(level, logits, labels)
        if self.loss_weights.get(f'lov_{level}'):
            terms['lov'] = lovasz_softmax(logits, labels)
        return terms
