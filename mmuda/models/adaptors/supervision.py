"""The supervised part of a method: losses on labelled images of either domain."""

import functools
from collections.abc import Mapping
from typing import Any

import torch
from mmseg.utils import SampleList
from torch import Tensor

from mmuda.constants import TARGET_LABELLED

from ..labels import labels_of
from ..losses import cross_entropy
from ..segmentors import SegOutputs
from ..segmentors.head_outputs import heads_of, own_loss_levels
from .head_losses import as_samples, check_head_losses, configured_losses, is_configured
from .loss_weights import Losses, WeightedLosses
from .showing import Showing


class Supervision(Showing, WeightedLosses):
    """A model that learns from labels, with the losses that the config sets for each head or with that of the method.

    Arguments are those of :class:`WeightedLosses`.

    Raises:
        ValueError: As :class:`WeightedLosses`, and if the config sets losses of a head that the method cannot use.
    """

    USES_HEAD_LOSSES = True
    """Whether losses in the config of a head replace the cross-entropy, see :meth:`seg_loss`."""

    def __init__(
        self,
        segmentor: dict,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
        loss_weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(segmentor, data_preprocessor, init_cfg, loss_weights)
        check_head_losses(self.segmentor, self.USES_HEAD_LOSSES, type(self).__name__)
        self._supervised: tuple[dict[str, Any], SampleList] = ({}, [])
        self._unused_heads = {level for level, head in heads_of(self.segmentor).items() if is_configured(head)}

    def segment(self, batch: dict) -> SegOutputs:
        """Return the outputs of the segmentor for the images of one domain.

        If ``data_samples`` have labels, heads with their own kind of loss run too, because :meth:`supervised_losses`
        needs their outputs. Leave ``data_samples`` out of ``batch`` for a pass without supervised losses.

        Args:
            batch: ``inputs`` (N, 3, H, W), normalised, and optionally ``data_samples``.
        """
        learns = self._has_own_loss and 'gt_sem_seg' in (batch.get('data_samples') or [()])[0]
        outputs = self.segmentor(batch['inputs'], mode='supervised' if learns else 'outputs')
        self.show_pass(batch['inputs'], outputs)
        return outputs

    def supervised_losses(self, outputs: SegOutputs, batch: dict) -> Losses:
        """Return the weighted losses of every level on the labels of a batch, ``loss_seg_<level>``.

        The loss of a level is :meth:`seg_loss`, by default cross-entropy. Labels have the size of the images, or that
        of the logits if they were sampled at the stride of the network.

        Args:
            outputs: Outputs of a pass over the images of ``batch``.
            batch: A batch with labelled ``data_samples``.
        """
        labels = labels_of(batch)
        self._supervised = outputs.head_outputs, batch['data_samples']
        losses: Losses = {}
        for level in outputs.head_outputs:
            # A level without class logits, such as boundaries: only its head can compute a loss from the labels.
            if level not in outputs.levels:
                losses |= self.weigh('seg', {level: self.seg_loss(level, None, labels)})
        for level in outputs.levels:
            for term, loss in self.supervised_terms(level, *outputs.labelled(level, labels)).items():
                losses |= self.weigh(term, {level: loss})
        self._supervised = {}, []
        return losses

    def supervised_terms(self, level: str, logits: Tensor, labels: Tensor) -> Losses:
        """Return the unweighted supervised losses of one level by term, here :meth:`seg_loss` as ``seg``.

        A method with more terms overrides this. Each term needs a loss weight, see :meth:`weigh`.

        Args:
            level: Name of the level.
            logits: (N, C, H, W) float32, at the size of the labels.
            labels: (N, H, W) int64.
        """
        return dict(seg=self.seg_loss(level, logits, labels))

    def seg_loss(self, level: str, logits: Tensor | None, labels: Tensor) -> Tensor:
        """Return the unweighted loss of a level: that of the config for its head, or :meth:`plain_loss` by default.

        mmseg computes ``loss_decode`` and ``sampler`` of the head (class weights, OHEM, Dice, focal, several losses,
        their ``loss_weight``). Their sum is the loss of the level. If there are several, the log also shows each as
        ``<its name>_<level>``. If ``loss_decode`` is mmseg's plain cross-entropy, the level has the loss of the method.

        Args:
            level: Name of the level.
            logits: (N, C, H, W) float32, at the size of the labels. None if the level predicts no classes.
            labels: (N, H, W) int64.
        """
        head = self._head_of(level)
        if logits is not None and not is_configured(head):
            return self.plain_loss(logits, labels)
        self._unused_heads -= {name for name in self._unused_heads if self._head_of(name) is head}
        outputs, samples = self._supervised
        if level in outputs:
            losses, others = configured_losses(head, outputs[level], samples)
        else:
            losses, others = configured_losses(head, logits, as_samples(labels))
        shown = {**(losses if len(losses) > 1 else {}), **others}
        self.log(**{f'{name}_{level}': value for name, value in shown.items()})
        return torch.stack([value.float() for value in losses.values()]).sum()

    def plain_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the method's supervised loss for a level whose head has no other loss; here cross-entropy.

        Args:
            logits: (N, C, H, W) float32, at the size of the labels.
            labels: (N, H, W) int64.
        """
        return cross_entropy(logits, labels)

    def labelled_target_losses(self, batch: dict) -> Losses:
        """Return the supervised losses of a pass over target images with ground truth.

        Their names in the log end with ``_target_labelled``. They are multiplied by the loss weight ``target_labelled``
        in addition to their other weights.

        Args:
            batch: ``inputs`` (N, 3, H, W) and labelled ``data_samples``.
        """
        kept, self._logged = self._logged, {}
        losses, weight = self.supervised_losses(self.segment(batch), batch), self.loss_weight(TARGET_LABELLED)
        self._logged = kept | {f'{name}_{TARGET_LABELLED}': value for name, value in self._logged.items()}
        return {f'{name}_{TARGET_LABELLED}': loss * weight for name, loss in losses.items()}

    @functools.cached_property
    def _has_own_loss(self) -> bool:
        return bool(own_loss_levels(self._bare_segmentor))

    def _head_of(self, level: str) -> Any:
        """Return the head of a level; for a level of another name, the decode head, which can produce several."""
        heads = heads_of(self._bare_segmentor)
        return heads.get(level, heads.get('main'))

    def check_heads_used(self) -> None:
        """Check that all losses that the config sets for heads were used in the iterations so far.

        Raises:
            RuntimeError: If some were not used.
        """
        if self._unused_heads:
            raise RuntimeError(
                f'{type(self).__name__}.adapt did not use the losses of the config (loss_decode, sampler) of the heads '
                f'{sorted(self._unused_heads)}: call seg_loss or supervised_losses in the method, or remove them'
            )
