"""Training on the source alone, the lower bound that adaptation is measured against."""

from collections.abc import Iterator

from mmseg.registry import MODELS

from .base import Losses
from .lovasz import LovaszAdaptor


@MODELS.register_module()
class SourceOnly(LovaszAdaptor):
    """Supervised training on the labelled source.

    The target is never forwarded: in train mode a pass alone would move the running batch-norm statistics towards it,
    which already is an adaptation (see :class:`AdaBN`). SDCA's source training has the loss weight ``lov_main=0.75``.
    """

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        yield 'segmentor', self.supervised_losses(self.segment(source), source)
