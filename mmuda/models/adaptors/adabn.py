"""Source-only training whose batch-norm statistics also include the target: the baseline of all methods."""

from collections.abc import Iterator

import torch
from mmseg.registry import MODELS

from .base import Losses
from .source_only import SourceOnly


@MODELS.register_module()
class AdaBN(SourceOnly):
    """Supervised training on the source; the target is forwarded in train mode without a loss.

    Every method that forwards the target in train mode ends with running statistics that mix both domains. This alone
    adapts the network, as in Li et al. 2016 ("Revisiting Batch Normalization For Practical Domain Adaptation"): with
    all adversarial weights at zero, AdaptSegNet's code still reaches about 41 mIoU on GTA5 to Cityscapes, source-only
    training 36.6 (issues 25 and 95 of its repository). Compare a method with this baseline, not with source-only.
    """

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        yield from super().adapt(source, target)
        with torch.no_grad():
            self.segment(target)
