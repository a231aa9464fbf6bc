"""Losses that a config sets for heads: class weights, hard pixels, Dice, several losses at once."""

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
"""Heads whose loss needs ``gt_edge_map`` in samples, which the transform ``GenerateEdge`` of a pipeline adds."""


def is_configured(head: Any) -> bool:
    """Return whether a head has a loss other than plain cross-entropy, which adaptors compute themselves.

    Plain cross-entropy is mmseg's ``CrossEntropyLoss`` with softmax, without class weights, with ``loss_weight`` 1, as
    the only loss and without a pixel sampler. For a head with one output, that with a sigmoid is plain too, see
    :func:`as_two_outputs`.
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
    """Check that the losses in the config of all heads have an effect and can be computed.

    Args:
        segmentor: The network.
        used: Whether the method uses the losses of heads.
        method: Name of the method, for the error message.

    Raises:
        ValueError: If a head has losses other than plain cross-entropy that would have no effect, or that mmseg cannot
            compute.
    """
    for name in ('decode_head', 'auxiliary_head'):
        heads = getattr(segmentor, name, None)
        for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
            _check_class_weights(name, getattr(head, 'loss_decode', None))
            if is_configured(head) and _has_one_output(head):
                raise ValueError(
                    f'segmentor.{name}: a head with out_channels=1 is trained with the plain cross-entropy of its '
                    'sigmoid; remove its loss_decode and sampler, or set out_channels=2'
                )
            if not is_configured(head) or (used and hasattr(head, 'loss_by_feat')):
                continue
            why = (
                f'{type(head).__name__} has no loss_by_feat'
                if used
                else f'the supervised loss of {method} is its own cross-entropy'
            )
            raise ValueError(
                f'segmentor.{name}: loss_decode and sampler of a head have no effect here, because {why}; remove them '
                'and set loss_weights of the adaptor'
            )


def _has_one_output(head: Any) -> bool:
    return getattr(head, 'out_channels', None) == 1


def _check_class_weights(place: str, losses: Any) -> None:
    """Check that class weights are not combined with ``avg_non_ignore``.

    mmseg 1.3 would then index the weights of the labelled pixels with a mask over all pixels, which fails.
    """
    for loss in losses if isinstance(losses, nn.ModuleList) else [losses]:
        if isinstance(loss, CrossEntropyLoss) and loss.class_weight is not None and loss.avg_non_ignore:
            raise ValueError(
                f'segmentor.{place}.loss_decode: mmseg fails for class_weight with avg_non_ignore=True; remove '
                'avg_non_ignore, because with class weights the mean is over labelled pixels anyway'
            )


def configured_losses(head: Any, output: Any, samples: Sequence[SegDataSample]) -> tuple[Losses, Losses]:
    """Return the losses of a head as mmseg computes them, and its other values such as the accuracy.

    Args:
        head: The head.
        output: The output of the head; or class logits (N, C, H, W), if the head has mmseg's usual loss.
        samples: Labelled samples.

    Returns:
        Two dicts of scalars by their names in mmseg: losses, and values that are not optimised.

    Raises:
        ValueError: If the head needs boundary labels that the samples lack, or a loss that mmseg computes on a GPU
            only.
    """
    if isinstance(head, NEED_EDGES) and 'gt_edge_map' not in samples[0]:
        raise ValueError(
            f'{samples[0].metainfo.get("img_path")}: {type(head).__name__} learns boundaries, but the sample has no '
            "gt_edge_map: add dict(type='GenerateEdge', edge_width=4) before PackSegInputs to the pipeline of the "
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
    """Check that mmseg's focal loss is not computed on the CPU: its code there takes one class instead of all."""
    losses = head.loss_decode if isinstance(head.loss_decode, nn.ModuleList) else [head.loss_decode]
    on_cpu = samples[0].gt_sem_seg.data.device.type == 'cpu'
    if on_cpu and any(isinstance(loss, FocalLoss) for loss in losses):
        raise ValueError(
            f"{type(head).__name__}: mmseg's FocalLoss fails on the CPU; train on a GPU, or use class weights or the "
            'OHEMPixelSampler'
        )


def as_samples(labels: Tensor) -> list[SegDataSample]:
    """Return one labelled sample for each of the label maps (N, H, W); labels below 0 become 255."""
    labels = labels.masked_fill(labels < 0, IGNORE_INDEX)
    return [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels[:, None]]
