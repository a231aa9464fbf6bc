"""Prediction with several trained networks together."""

import copy
from collections.abc import Sequence
from typing import Any, NoReturn

from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmuda.labeling import argmax_classes


@MODELS.register_module()
class LogitEnsemble(BaseModel):
    """Weighted sum of the upsampled logits of several networks, then argmax (ADVENT's "AdvEnt+MinEnt").

    Logits are summed, not probabilities, as in the released test code. An ensemble cannot be trained. A subclass that
    sums something else overrides :meth:`vote` and :meth:`logits`. A config selects it by
    ``test_ensemble=dict(type=...)``.

    Args:
        models: Configs of adaptors or segmentors. Each preprocesses the images itself.
        weights: One weight for each model; by default equal weights that add up to 1.
        **kwargs: As :class:`mmengine.model.BaseModel`.

    Raises:
        ValueError: If the numbers of models and weights differ.
    """

    def __init__(self, models: Sequence[dict], weights: Sequence[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.models = nn.ModuleList(MODELS.build(copy.deepcopy(model)) for model in models)
        self.weights = network_weights(weights, len(models))

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor') -> NoReturn:
        """Raise an error: inputs must not be preprocessed, because every model has its own preprocessing.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError('LogitEnsemble has no forward: call test_step with a batch that is not preprocessed')

    def val_step(self, data: dict) -> list:
        """Run :meth:`test_step`."""
        return self.test_step(data)

    def test_step(self, data: dict) -> list:
        """Return data samples with ``seg_logits`` (C, H, W) and ``pred_sem_seg`` (1, H, W) of the ensemble.

        Args:
            data: A collated batch that is not preprocessed. It is not changed.
        """
        merged: list = []
        total: list[Tensor] = []
        model: Any
        for model, weight in zip(self.models, self.weights, strict=True):
            # Copies, because preprocessing changes data samples and predictions are written into them.
            samples = model.test_step(dict(data, data_samples=copy.deepcopy(data['data_samples'])))
            votes = [self.vote(sample) for sample in samples]
            if not merged:
                merged, total = samples, [vote * weight for vote in votes]
            else:
                for sum_of_votes, vote in zip(total, votes, strict=True):
                    sum_of_votes.add_(vote, alpha=weight)
        for sample, sum_of_votes in zip(merged, total, strict=True):
            logits = self.logits(sum_of_votes)
            sample.set_data(
                dict(seg_logits=PixelData(data=logits), pred_sem_seg=PixelData(data=argmax_classes(logits)[None]))
            )
        return merged

    def vote(self, sample: SegDataSample) -> Tensor:
        """Return the map (C, H, W) of a network's prediction that is summed, here its logits."""
        return sample.seg_logits.data

    def logits(self, total: Tensor) -> Tensor:
        """Return the logits (C, H, W) of the ensemble from the weighted sum, which this method can overwrite."""
        return total


def network_weights(weights: Sequence[float] | None, count: int) -> list[float]:
    """Return the weights of ``count`` networks; by default equal weights that add up to 1.

    Raises:
        ValueError: If the number of weights is not ``count``.
    """
    found = [1 / count] * count if weights is None else list(weights)
    if len(found) != count:
        raise ValueError(f'there are {count} models but {len(found)} weights: give one for each model, or none')
    return found
