"""Predict with several trained networks at once."""

import copy
from collections.abc import Sequence
from typing import Any, NoReturn

from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class LogitEnsemble(BaseModel):
    """Weighted sum of the upsampled logits of several networks, then argmax (ADVENT's "AdvEnt+MinEnt").

    Logits are summed, not probabilities, as in the released test code. For testing only.

    Args:
        models: Configs of adaptors or segmentors; each preprocesses its own input.
        weights: One weight for each model; by default equal weights that add up to 1.
        **kwargs: As :class:`mmengine.model.BaseModel`.

    Raises:
        ValueError: If the numbers of models and weights differ.
    """

    def __init__(self, models: Sequence[dict], weights: Sequence[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.models = nn.ModuleList(MODELS.build(copy.deepcopy(model)) for model in models)
        self.weights = [1 / len(models)] * len(models) if weights is None else list(weights)
        if len(self.weights) != len(self.models):
            raise ValueError(f'LogitEnsemble has {len(self.models)} models but {len(self.weights)} weights')

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor') -> NoReturn:
        """Refuse preprocessed inputs: every model has its own preprocessing.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError('LogitEnsemble is called by test_step, with a batch that is not preprocessed')

    def val_step(self, data: dict) -> list:
        """Run :meth:`test_step`."""
        return self.test_step(data)

    def test_step(self, data: dict) -> list:
        """Return data samples with ``seg_logits`` (C, H, W) and ``pred_sem_seg`` (1, H, W) of the ensemble."""
        merged: list = []
        total: list[Tensor] = []
        model: Any
        for model, weight in zip(self.models, self.weights, strict=True):
            # Predictions are written into the data samples, and preprocessing changes them.
            samples = model.test_step(dict(data, data_samples=copy.deepcopy(data['data_samples'])))
            if not merged:
                merged, total = samples, [sample.seg_logits.data * weight for sample in samples]
            else:
                for logits, sample in zip(total, samples, strict=True):
                    logits.add_(sample.seg_logits.data, alpha=weight)
        for sample, logits in zip(merged, total, strict=True):
            sample.set_data(
                dict(seg_logits=PixelData(data=logits), pred_sem_seg=PixelData(data=logits.argmax(dim=0, keepdim=True)))
            )
        return merged
