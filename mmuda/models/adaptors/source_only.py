"""Training on the source alone, the lower bound of adaptation."""

from collections.abc import Iterator

from mmseg.registry import MODELS

from .base import Losses
from .lovasz import LovaszAdaptor


@MODELS.register_module()
class SourceOnly(LovaszAdaptor):
    """Supervised training on the labelled source.

    The target is never forwarded. In train mode, a forward pass alone would move the running statistics of batch-norm
    towards the target, which is an adaptation already (see :class:`AdaBN`). The source training of SDCA has the loss
    weight ``lov_main=0.75``.
    """

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        yield 'segmentor', self.supervised_losses(self.segment(source), source)
