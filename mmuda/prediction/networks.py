"""Predictions of one or several trained networks for prepared images."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmuda.constants import LOG_EPSILON
from mmuda.labeling import argmax_classes
from mmuda.models.image_sizes import in_equal_sizes

from .preparation import Prepared

ROWS_OF = 2**24
"""Number of values of enlarged logits that are computed at a time."""


class Scores(NamedTuple):
    """The prediction for one image.

    Attributes:
        logits: Logits (C, H, W) float32, or log-probabilities, which have the same softmax. For networks with one
            output, the probability of the foreground, (1, H, W).
        label: Predicted class (H, W) from the network; None if it must be computed from the logits.
    """

    logits: Tensor
    label: Tensor | None = None


class Networks:
    """One or several trained networks. Probabilities are averaged over networks and over augmentations of an image.

    Args:
        models: Adaptors or segmentors in eval mode, on one device.

    Raises:
        ValueError: If the networks have different numbers of outputs.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.models: list[Any] = list(models)
        outputs = [int(model.out_channels) for model in self.models]
        if len(set(outputs)) > 1:
            raise ValueError(f'the networks of an ensemble need the same classes, but their outputs are {outputs}')
        self.out_channels = outputs[0]
        self.align_corners = bool(self.models[0].align_corners)
        # In mmseg, a pixel of a single output is foreground above this probability.
        self.threshold = float(self.models[0].decode_head.threshold) if self.out_channels == 1 else None

    @torch.no_grad()
    def scores(self, images: Sequence[Prepared]) -> list[Scores]:
        """Return the prediction for each image at the size ``ori_shape`` of its data samples.

        Args:
            images: Prepared images with equal numbers of augmentations.
        """
        ways = len(images[0].inputs)
        if len(self.models) == ways == 1:
            found = self._step(self.models[0], images, 0)
            return [Scores(one.seg_logits.data.float(), one.pred_sem_seg.data[0]) for one in found]
        totals: list[Tensor] = []
        for model in self.models:
            for way in range(ways):
                probs = [self.probabilities(sample.seg_logits.data) for sample in self._step(model, images, way)]
                totals = probs if not totals else [total.add_(one) for total, one in zip(totals, probs, strict=True)]
        mean = [total.div_(len(self.models) * ways) for total in totals]
        return [Scores(one if self.threshold is not None else (one + LOG_EPSILON).log_()) for one in mean]

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities (C, H, W) float32 of logits. A single output already is a probability."""
        return logits.float().softmax(dim=0) if self.threshold is None else logits.float().clone()

    def decide(self, scores: Scores, confidence: bool) -> tuple[Tensor, Tensor | None]:
        """Return the label map (H, W) uint8, and the confidence (H, W) float32: the largest probability.

        Args:
            scores: Prediction for an image, or for a part of one.
            confidence: Whether to return the confidence; otherwise it is None.
        """
        logits, label = scores
        if self.threshold is not None:
            foreground = logits[0]
            label = foreground > self.threshold
            return label.byte(), torch.where(label, foreground, 1 - foreground) if confidence else None
        if label is None:
            label = argmax_classes(logits)
        if not confidence:
            return label.byte(), None
        return label.byte(), (logits.amax(dim=0) - logits.logsumexp(dim=0)).exp().clamp_(max=1)

    def decide_probabilities(self, probs: Tensor, confidence: bool) -> tuple[Tensor, Tensor | None]:
        """Return the same as :meth:`decide` from probabilities (C, H, W)."""
        if self.threshold is not None:
            return self.decide(Scores(probs), confidence)
        best, label = probs.max(dim=0)
        return label.byte(), best.clamp_(max=1) if confidence else None

    def enlarged(
        self, scores: Scores, size: tuple[int, int], confidence: bool
    ) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Return label map and confidence at another size. Logits are enlarged bilinearly, a few rows at a time.

        Args:
            scores: Prediction at the size of the network's input.
            size: (height, width) of the image.
            confidence: Whether to return the confidence; otherwise it is None.

        Returns:
            Label map (h, W) and confidence (h, W) of each band of rows, from the top.
        """
        height, width = size
        rows = max(1, ROWS_OF // (len(scores.logits) * width))
        bands = []
        for top in range(0, height, rows):
            count = min(rows, height - top)
            lines = _rows_between(scores.logits, top, count, height, self.align_corners)
            full = F.interpolate(lines[None], (count, width), mode='bilinear', align_corners=self.align_corners)[0]
            bands.append(to_arrays(*self.decide(Scores(full), confidence)))
        return bands

    def _step(self, model: Any, images: Sequence[Prepared], way: int) -> list[Any]:
        """Return data samples with predictions. Images of one size are predicted as one batch."""
        batch = dict(
            inputs=[image.inputs[way] for image in images],
            data_samples=[copy.deepcopy(image.data_samples[way]) for image in images],
        )
        return in_equal_sizes(model.test_step, batch)


def to_arrays(label: Tensor, confidence: Tensor | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return both maps as arrays."""
    return label.cpu().numpy(), None if confidence is None else confidence.cpu().numpy()


def _rows_between(logits: Tensor, top: int, count: int, height: int, align_corners: bool) -> Tensor:
    """Return some rows (C, count, w) of logits (C, h, w) that are enlarged bilinearly along the height alone."""
    rows = logits.shape[1]
    places = torch.arange(top, top + count, device=logits.device, dtype=torch.float64)
    if align_corners:
        places *= (rows - 1) / max(height - 1, 1)
    else:
        places = ((places + 0.5) * rows / height - 0.5).clamp_(min=0)
    above = places.long().clamp_(max=rows - 1)
    below = (above + 1).clamp_(max=rows - 1)
    share = (places - above).to(logits.dtype)[:, None]
    return torch.lerp(logits[:, above], logits[:, below], share)
