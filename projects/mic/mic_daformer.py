"""MIC on another plug-in, DAFormer."""

from mmseg.registry import MODELS

from projects.daformer.daformer import DAFormer

from .mic import MASKED, MaskedSelfTraining


@MODELS.register_module()
class MICDAFormer(MaskedSelfTraining, DAFormer):
    """:class:`DAFormer` with masked image consistency. On HRDA's network it is the paper's best method."""

    LOSS_WEIGHTS = dict(**DAFormer.LOSS_WEIGHTS, **MASKED)
