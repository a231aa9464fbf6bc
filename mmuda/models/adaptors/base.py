"""The base of every method: the training step and the parts that methods call in it."""

import functools
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmseg.utils import SampleList
from torch import Tensor

from mmuda.constants import TARGET_LABELLED

from ..labels import labels_of
from ..losses import cross_entropy
from ..segmentors import SegOutputs
from ..segmentors.head_outputs import CLASS_MAPS
from .checks import only_reaches
from .freezing import frozen
from .head_losses import as_samples, check_head_losses, configured_losses, is_configured
from .loss_weights import Losses, WeightedLosses
from .showing import Showing

DOMAINS = ('source', 'target')

Parts = Iterator[tuple[str, Losses] | None]
"""Items of :meth:`BaseAdaptor.adapt`: the losses of one child, or :data:`STEP`."""

STEP = None
"""Yielded once, after all losses: the optimizers step here, and what follows runs after the step."""

END: Any = object()


class BaseAdaptor(Showing, WeightedLosses, metaclass=ABCMeta):
    """A segmentor and the other networks and state of a method.

    A method implements :meth:`adapt`, a generator that reads like the paper's algorithm box: it yields
    ``(module name, {loss name: tensor})`` and each yielded dict is back-propagated before the generator resumes, so the
    graph of the source images is freed before that of the target images is built. After the last one every optimizer
    steps once and its gradients are cleared. Work after the step, such as the update of an EMA teacher, follows a
    ``yield STEP``::

        def adapt(self, source, target):
            yield 'segmentor', self.supervised_losses(self.segment(source), source)
            yield STEP
            if self.stepped:  # False in iterations that only gather gradients
                self.teacher.update(self.segmentor)

    Every trainable direct child (``segmentor``, ``discriminator``, ...) has its own optimizer of the same name in
    ``optim_wrapper`` and, in distributed training, its own wrapper: call children, never their children. Keep state
    that training needs (teachers, statistics, counters) in buffers or frozen children, so that it is saved and resumed.

    Every method learns target images with ground truth (``target_labelled`` of the data set): after the losses of
    :meth:`adapt` and before the step come their :meth:`supervised_losses`, times the loss weight ``target_labelled``.

    Args:
        segmentor: Config of an :class:`AdaptiveEncoderDecoder`.
        data_preprocessor: Config of a :class:`DomainPairPreprocessor`.
        loss_weights: Weights that differ from the method's :attr:`LOSS_WEIGHTS`. A term that has a weight for ``main``
            may have one for each level of the segmentor. ``self.loss_weights`` holds all of them; a hook may change
            them during training.
        init_cfg: As in mmengine.
        train_cfg: Must be None; accepted because mmseg's ``init_model`` sets it.
        pretrained: Must be None; accepted because mmseg's ``init_model`` sets it.

    Raises:
        ValueError: If ``loss_weights`` has a key that the method does not know, or a head is configured with losses
            that the method cannot use.
    """

    USES_HEAD_LOSSES = True
    """Whether losses that a config gives to heads replace the cross-entropy, see :meth:`seg_loss`."""

    ACCEPTS_ONE_DOMAIN = False
    """Whether a batch may hold one domain only; :meth:`adapt` then gets None for the other."""

    def __init__(
        self,
        segmentor: dict,
        data_preprocessor: dict | None = None,
        loss_weights: Mapping[str, float] | None = None,
        init_cfg: dict | None = None,
        train_cfg: None = None,
        pretrained: None = None,
    ) -> None:
        if train_cfg is not None or pretrained is not None:
            raise ValueError(f'{type(self).__name__} takes no train_cfg and no pretrained: they belong into segmentor')
        super().__init__(segmentor, data_preprocessor, init_cfg, loss_weights)
        check_head_losses(self.segmentor, self.USES_HEAD_LOSSES, type(self).__name__)
        self._supervised: tuple[dict[str, Any], SampleList] = ({}, [])
        self._unused_heads = {level for level, head in self.segmentor.heads().items() if is_configured(head)}
        self._frozen_children: set[str] = set()
        self._routes_checked = False
        self.stepped = True
        """Whether the step before this point changed the weights: False while gradients are gathered over iterations.

        Before the first step it is True, also after a resume: checkpoints are written after a change.
        """

    # A method implements this.

    @abstractmethod
    def adapt(self, source: dict, target: dict) -> Parts:
        """Run one training iteration as the paper writes it.

        Args:
            source: ``inputs`` (N, 3, H, W) and labelled ``data_samples``.
            target: ``inputs`` (M, 3, H', W') and ``data_samples`` without labels.

        Yields:
            ``(module name, {loss name: scalar tensor})``: the sum of the values is back-propagated through the
            optimizer of that module at once. Nothing else is ever optimised, whatever its name. :data:`STEP`, at most
            once and after all losses: the optimizers step there and not at the end.
        """

    # A method calls these.

    def segment(self, batch: dict) -> SegOutputs:
        """Forward the images of one domain through the segmentor; batch-norm sees these images alone.

        Images with labels are taken for ones that :meth:`supervised_losses` will learn: heads that only learn from
        labels see them. Leave ``data_samples`` out for a pass that is not.
        """
        learns = self._has_own_loss and 'gt_sem_seg' in (batch.get('data_samples') or [()])[0]
        outputs = self.segmentor(batch['inputs'], mode='supervised' if learns else 'outputs')
        self.show_pass(batch['inputs'], outputs)
        return outputs

    @property
    def feature_channels(self) -> int:
        """Number K of channels of the feature map that the decode head reads.

        Raises:
            ValueError: If the decode head reads several feature maps.
        """
        head = self.decode_head
        if isinstance(head, tuple(CLASS_MAPS)):
            raise ValueError(
                f'{type(self).__name__} looks at the one feature map that the decode head reads, but '
                f'{type(head).__name__} reads several: choose a head of one stage'
            )
        if not isinstance(head.in_index, int) or not isinstance(head.in_channels, int):
            raise ValueError(
                f'{type(self).__name__} looks at the one feature map that the decode head reads, but its in_index is '
                f'{head.in_index}, its in_channels {head.in_channels}: choose a head of one stage'
            )
        return head.in_channels

    def head_features(self, outputs: SegOutputs) -> Tensor:
        """Return the feature map (N, K, h, w) that the decode head reads, see :attr:`feature_channels`."""
        return outputs.features[self.decode_head.in_index]

    def without_heads(self, auxiliary_only: bool = False) -> AbstractContextManager[None]:
        """Return a context whose forward passes leave the heads out of the graph.

        Use it for losses that do not depend on logits: DDP would wait for the gradients of heads that took part in the
        pass.

        Args:
            auxiliary_only: Leave out auxiliary heads only; the decode head takes part.
        """
        return frozen(
            None if auxiliary_only else self.decode_head, getattr(self._bare_segmentor, 'auxiliary_head', None)
        )

    def supervised_losses(self, outputs: SegOutputs, batch: dict) -> Losses:
        """Return the losses of every level on the labels of a batch, weighted: ``loss_seg_<level>``.

        See :meth:`seg_loss`, by default cross-entropy.

        Labels have the size of the images, or that of the logits if they were sampled at the stride of the network.

        Args:
            outputs: Outputs of a pass over the images of ``batch``.
            batch: With labelled ``data_samples``.
        """
        labels = labels_of(batch)
        self._supervised = outputs.head_outputs, batch['data_samples']
        losses: Losses = {}
        for level in outputs.head_outputs:
            if level not in outputs.levels:  # such as boundaries, of which only its head makes labels
                losses |= self.weigh('seg', {level: self.seg_loss(level, None, labels)})
        for level in outputs.levels:
            for term, loss in self.supervised_terms(level, *outputs.labelled(level, labels)).items():
                losses |= self.weigh(term, {level: loss})
        self._supervised = {}, []
        return losses

    def supervised_terms(self, level: str, logits: Tensor, labels: Tensor) -> Losses:
        """Return the supervised losses of one level by term; the base has :meth:`seg_loss` as ``seg``.

        A method with more terms overrides this. Each term needs a loss weight, see :meth:`weigh`.

        Args:
            level: Name of the level.
            logits: (N, C, H, W) float32, at the size of the labels.
            labels: (N, H, W) int64.
        """
        return dict(seg=self.seg_loss(level, logits, labels))

    def seg_loss(self, level: str, logits: Tensor | None, labels: Tensor) -> Tensor:
        """Return the losses that the config gives to the head of a level, or the :meth:`plain_loss` if it gives none.

        ``loss_decode`` and ``sampler`` of a head are used as mmseg uses them (class weights, OHEM, Dice, focal, several
        at once, their own ``loss_weight``); their sum is the loss of the level, and the log shows each as
        ``<its name>_<level>``. A head whose ``loss_decode`` is mmseg's plain cross-entropy has the loss of the method.

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
        """Return the supervised loss of a level whose head has no other; the base has cross-entropy.

        Args:
            logits: (N, C, H, W) float32, at the size of the labels.
            labels: (N, H, W) int64.
        """
        return cross_entropy(logits, labels)

    def labelled_target_losses(self, batch: dict) -> Losses:
        """Return the losses of a pass over target images with ground truth, which are those of the source images.

        Their names in the log end with ``_target_labelled``, and in training they have the loss weight of that name.

        Args:
            batch: ``inputs`` (N, 3, H, W) and labelled ``data_samples``.
        """
        kept, self._logged = self._logged, {}
        losses, weight = self.supervised_losses(self.segment(batch), batch), self.loss_weight(TARGET_LABELLED)
        self._logged = kept | {f'{name}_{TARGET_LABELLED}': value for name, value in self._logged.items()}
        return {f'{name}_{TARGET_LABELLED}': loss * weight for name, loss in losses.items()}

    def freeze(self, *names: str) -> None:
        """Keep direct children (a teacher) in eval mode and without gradients for good.

        The training loop calls ``train()`` in every iteration, which would otherwise put them back into train mode.
        """
        for name in names:
            getattr(self, name).requires_grad_(False).eval()
            self._frozen_children.add(name)

    # The runner calls these.

    def train_step(self, data: dict, optim_wrapper: Any) -> Losses:
        """Run :meth:`adapt`, back-propagating each of its parts, then step every optimizer once.

        Args:
            data: A collated batch, ``{'source': {'inputs', 'data_samples'}, 'target': {'inputs', 'data_samples'}}``;
                methods that accept one domain also take batches without the other. ``'target_labelled'`` may be there
                as well.
            optim_wrapper: The optimizers of this model by child, an ``AdaptorOptimWrapperDict``.

        Returns:
            Detached scalars for the log, still on the device.

        Raises:
            ValueError: If the batch lacks a domain that the method needs, a part names no optimizer or has no loss, or
                something is yielded after the step.
            RuntimeError: In the first iteration, if a part trains another child than the one it names, or the losses
                that the config gives to a head were not used.
        """
        data = self.data_preprocessor(data, training=True)
        batches = self._domain_batches(data)
        for domain, batch in data.items():
            self.show_batch(domain, batch)
        parts = self._parts(batches, data.get(TARGET_LABELLED))
        del data, batches, batch
        logs: Losses = {}
        self._logged = {}
        ended = False
        while True:
            # Only forward passes belong under autocast; the context must not be left open between two parts.
            with optim_wrapper.optim_context(self):
                part = next(parts, END)
            if part is END:
                break
            if ended:
                raise ValueError(f'{type(self).__name__}.adapt yielded once more after the optimizers had stepped')
            if part is STEP:
                self._step(optim_wrapper)
                ended = True
                continue
            name, losses = part
            if name not in optim_wrapper or not losses:
                raise ValueError(
                    f'{type(self).__name__}.adapt yielded {len(losses)} losses for {name!r}: expected at least one (a '
                    f'zero that depends on the network will do), for one of {list(optim_wrapper.keys())}'
                )
            total = sum(losses.values())
            with nullcontext() if self._routes_checked else only_reaches(self, name):
                optim_wrapper[name].backward(total)
            logs.update({key: value.detach() for key, value in losses.items()})
            del part, losses, total
        if not ended:
            self._step(optim_wrapper)
        self._check_heads_used()
        self._routes_checked = True
        logs.update(optim_wrapper.grad_norms())
        logs.update(self._logged)
        return logs

    def train(self, mode: bool = True) -> 'BaseAdaptor':
        """As usual, but frozen children stay in eval mode."""
        super().train(mode)
        for name in self._frozen_children:
            getattr(self, name).eval()
        return self

    # Details.

    def _parts(self, batches: dict[str, Any], labelled: dict | None) -> Parts:
        """Return the parts of :meth:`adapt`; before the step comes that of labelled target images, if there are any."""
        parts = self.adapt(batches['source'], batches['target'])
        return parts if labelled is None else self._with_labelled(parts, labelled)

    def _with_labelled(self, parts: Parts, labelled: dict) -> Parts:
        while True:
            part = next(parts, END)
            if part is STEP or part is END:
                break
            yield part
            del part  # with its graph
        yield 'segmentor', self.labelled_target_losses(labelled)
        if part is STEP:
            yield STEP
            yield from parts

    @functools.cached_property
    def _has_own_loss(self) -> bool:
        return bool(self._bare_segmentor.own_loss_levels)

    def _head_of(self, level: str) -> Any:
        """Return the head that gives a level; a network may get several levels from its decode head."""
        return self._bare_segmentor.heads().get(level, self.decode_head)

    def _check_heads_used(self) -> None:
        if self._unused_heads and not self._routes_checked:
            raise RuntimeError(
                f'{type(self).__name__}.adapt did not use the losses of the config (loss_decode, sampler) of the heads '
                f'{sorted(self._unused_heads)}: take seg_loss or supervised_losses in the method, or remove them'
            )

    def _step(self, optim_wrapper: Any) -> None:
        """Step every optimizer and note whether that changed the weights."""
        optim_wrapper.step()
        self.stepped = optim_wrapper.stepped()

    def _domain_batches(self, data: dict) -> dict[str, Any]:
        """Return the preprocessed batches by domain, None for one that is not there."""
        found = [domain for domain in DOMAINS if domain in data]
        if len(found) < (1 if self.ACCEPTS_ONE_DOMAIN else 2):
            wanted = 'source, target or both' if self.ACCEPTS_ONE_DOMAIN else 'both source and target'
            raise ValueError(
                f'{type(self).__name__} trains with images of {wanted}, but the batch has {sorted(data)}: '
                f"train_dataloader needs a data set whose items are {{'source': ..., 'target': ...}}"
            )
        return {domain: data.get(domain) for domain in DOMAINS}
