"""Losses that a config gives to heads: class weights, hard pixels, Dice, several at once."""

from collections.abc import Sequence
from typing import Any

from mmengine.structures import PixelData
from mmseg.models.decode_heads import PIDHead
from mmseg.models.losses import CrossEntropyLoss, FocalLoss
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmuda.constants import IGNORE_INDEX

from ..segmentors.head_outputs import has_own_loss
from .loss_weights import Losses

NEED_EDGES = (PIDHead,)
"""Heads whose loss needs ``gt_edge_map`` in samples, which the step ``GenerateEdge`` of a pipeline makes."""


def is_configured(head: Any) -> bool:
    """Return whether the loss of a head is another one than the plain cross-entropy, which adaptors compute themselves.

    Plain is mmseg's ``CrossEntropyLoss`` with its softmax, without class weights and with weight 1, alone and without a
    sampler of pixels. That with a sigmoid is the same for a head with one output, see :func:`as_two_outputs`.
    """
    loss = getattr(head, 'loss_decode', None)
    plain = loss is None or (
        isinstance(loss, CrossEntropyLoss)
        and (not loss.use_sigmoid or _has_one_output(head))
        and loss.class_weight is None
        and loss.loss_weight == 1.0
    )
    return not plain or getattr(head, 'sampler', None) is not None or has_own_loss(head)


def check_head_losses(segmentor: nn.Module, used: bool, method: str) -> None:
    """Check that the losses of all heads can be used.

    Args:
        segmentor: The network.
        used: Whether the method uses them.
        method: Its name, for the message.

    Raises:
        ValueError: If a head has losses other than the plain cross-entropy that would have no effect, or that mmseg
            cannot compute.
    """
    for name in ('decode_head', 'auxiliary_head'):
        heads = getattr(segmentor, name, None)
        for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
            _check_class_weights(name, getattr(head, 'loss_decode', None))
            if is_configured(head) and _has_one_output(head):
                raise ValueError(
                    f'segmentor.{name}: a head with out_channels=1 is trained by the plain cross-entropy of its '
                    'sigmoid; remove its loss_decode and sampler, or give it out_channels=2'
                )
            if not is_configured(head) or (used and hasattr(head, 'loss_by_feat')):
                continue
            why = (
                f'{type(head).__name__} has no loss_by_feat'
                if used
                else f'the supervised loss of {method} is its own cross-entropy'
            )
            raise ValueError(
                f'segmentor.{name}: loss_decode and sampler of a head have no effect here, for {why}; remove them and '
                'set loss_weights of the adaptor'
            )


def _has_one_output(head: Any) -> bool:
    return getattr(head, 'out_channels', None) == 1


def _check_class_weights(place: str, losses: Any) -> None:
    """Refuse class weights with ``avg_non_ignore``, whose mean mmseg 1.3 looks up by the labels of all pixels."""
    for loss in losses if isinstance(losses, nn.ModuleList) else [losses]:
        if isinstance(loss, CrossEntropyLoss) and loss.class_weight is not None and loss.avg_non_ignore:
            raise ValueError(
                f'segmentor.{place}.loss_decode: mmseg fails for class_weight with avg_non_ignore=True; leave '
                'avg_non_ignore out, for with class weights the mean is that over labelled pixels in any case'
            )


def configured_losses(head: Any, output: Any, samples: Sequence[SegDataSample]) -> tuple[Losses, Losses]:
    """Return the losses of a head as mmseg computes them, by their names in mmseg, and its other figures (accuracy).

    Args:
        head: The head.
        output: Its output; or class logits (N, C, H, W), if it has mmseg's usual loss.
        samples: With labels.

    Raises:
        ValueError: If the head needs labels of boundaries, which the samples lack, or a loss that mmseg computes on a
            GPU only.
    """
    if isinstance(head, NEED_EDGES) and 'gt_edge_map' not in samples[0]:
        raise ValueError(
            f'{samples[0].metainfo.get("img_path")}: {type(head).__name__} learns boundaries, but the sample has no '
            "gt_edge_map: put dict(type='GenerateEdge', edge_width=4) in front of PackSegInputs in the pipeline of the "
            'labelled images'
        )
    _check_device(head, samples)
    found = {
        name: value.mean() if isinstance(value, Tensor) else sum(part.mean() for part in value)
        for name, value in head.loss_by_feat(output, samples).items()
    }
    losses = {name: value for name, value in found.items() if 'loss' in name}
    return losses, {name: value for name, value in found.items() if name not in losses}


def _check_device(head: Any, samples: Sequence[SegDataSample]) -> None:
    """Refuse mmseg's focal loss on the CPU, where its code for label maps takes one class instead of all."""
    losses = head.loss_decode if isinstance(head.loss_decode, nn.ModuleList) else [head.loss_decode]
    on_cpu = samples[0].gt_sem_seg.data.device.type == 'cpu'
    if on_cpu and any(isinstance(loss, FocalLoss) for loss in losses):
        raise ValueError(
            f"{type(head).__name__}: mmseg's FocalLoss fails on the CPU; train on a GPU, or take class weights or the "
            'OHEMPixelSampler'
        )


def as_samples(labels: Tensor) -> list[SegDataSample]:
    """Return label maps (N, H, W) as samples, one for each image; labels below 0 are ignored."""
    labels = labels.masked_fill(labels < 0, IGNORE_INDEX)
    return [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels[:, None]]
