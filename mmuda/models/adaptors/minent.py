"""MinEnt: direct entropy minimisation on the target."""

from collections.abc import Iterator

from mmseg.registry import MODELS

from ..losses import entropy_loss
from .base import BaseAdaptor, Losses


@MODELS.register_module()
class MinEnt(BaseAdaptor):
    r"""Direct entropy minimisation (Vu et al., "ADVENT", CVPR 2019, section 3.1, eq. 4).

    .. math:: \min \sum_k \lambda^k_{seg} L^k_{seg}(x_s) + \lambda^k_{ent} L^k_{ent}(x_t)

    The sum is over the levels k: ``main`` is the decode head, ``aux`` the auxiliary head. :math:`L_{ent}` is the mean
    normalised entropy of the pixels, in [0, 1]. Loss weights: ``seg_main``, ``seg_aux``, ``ent_main``, ``ent_aux``.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, ent_main=0.001, ent_aux=0.0002)

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        yield 'segmentor', self.supervised_losses(self.segment(source), source)
        outputs = self.segment(target)
        yield 'segmentor', self.weigh('ent', {level: entropy_loss(outputs.upsample(level)) for level in outputs.levels})
