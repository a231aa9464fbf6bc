"""The base of every method: the training step, losses and their weights."""

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from ..labels import labels_of
from ..losses import cross_entropy
from ..segmentors import SegOutputs
from .checks import check_heads, only_reaches
from .freezing import frozen
from .inference import SegmentorModel

DOMAINS = ('source', 'target')

Losses = dict[str, Tensor]

Parts = Iterator[tuple[str, Losses] | None]
"""Items of :meth:`BaseAdaptor.adapt`: the losses of one child, or :data:`STEP`."""

STEP = None
"""Yielded once, after all losses: the optimizers step here, and what follows runs after the step."""

END: Any = object()


class BaseAdaptor(SegmentorModel, metaclass=ABCMeta):
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
        ValueError: If ``loss_weights`` has a key that the method does not know, or a head is configured with losses,
            which an adaptor ignores.
    """

    LOSS_WEIGHTS: Mapping[str, float] = dict(seg_main=1.0, seg_aux=0.1)
    """Known loss weights and their values in the paper."""

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
        super().__init__(segmentor, data_preprocessor, init_cfg)
        unknown = set(loss_weights or ()) - set(self.LOSS_WEIGHTS)
        unknown -= self._weights_of_levels() if unknown else set()
        if unknown:
            known = sorted({*self.LOSS_WEIGHTS, *self._weights_of_levels()})
            raise ValueError(f'{type(self).__name__}: unknown loss_weights {sorted(unknown)}, known are {known}')
        self.loss_weights = {**self.LOSS_WEIGHTS, **(loss_weights or {})}
        check_heads(self.segmentor)
        self._frozen_children: set[str] = set()
        self._routes_checked = False
        self._logged: Losses = {}
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
        """Forward the images of one domain through the segmentor; batch-norm sees these images alone."""
        return self.segmentor(batch['inputs'], mode='outputs')

    @property
    def feature_channels(self) -> int:
        """Number K of channels of the feature map that the decode head reads.

        Raises:
            ValueError: If the decode head reads several feature maps.
        """
        head = self.decode_head
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
        """Return the losses of every level on the labels of a batch, weighted: ``loss_seg_<level>``, cross-entropy.

        Labels have the size of the images, or that of the logits if they were sampled at the stride of the network.

        Args:
            outputs: Outputs of a pass over the images of ``batch``.
            batch: With labelled ``data_samples``.
        """
        labels = labels_of(batch)
        losses: Losses = {}
        for level in outputs.levels:
            seen = outputs.region(level, labels)
            logits = outputs.logits_at(level, seen.shape[-2:])
            for term, loss in self.supervised_terms(level, logits, seen).items():
                losses |= self.weigh(term, {level: loss})
        return losses

    def supervised_terms(self, level: str, logits: Tensor, labels: Tensor) -> Losses:
        """Return the supervised losses of one level by term; the base has cross-entropy, ``seg``.

        A method with more terms overrides this. Each term needs a loss weight, see :meth:`weigh`.

        Args:
            level: Name of the level.
            logits: (N, C, H, W) float32, at the size of the labels.
            labels: (N, H, W) int64.
        """
        return dict(seg=cross_entropy(logits, labels))

    def weigh(
        self, term: str | Losses, losses: Tensor | Mapping[str, Tensor] | None = None, domain: str | None = None
    ) -> Losses:
        """Log the losses of one term as they are and return them times their weights.

        ::

            self.weigh('adv', loss)                       # {'loss_adv': loss * loss_weights['adv']}
            self.weigh('ent', {'main': a, 'aux': b})      # 'loss_ent_main' by 'ent_main', 'loss_ent_aux' by 'ent_aux'
            self.weigh('feat', loss, domain='source')     # 'loss_feat_source' by 'feat'

        Args:
            term: Name of the term. (Earlier plug-ins pass losses by name, ``{'loss_<term>_<level>': loss}``.)
            losses: A scalar, or scalars by level.
            domain: Appended to the names in the log if a term has a loss for each domain.

        Raises:
            KeyError: If ``loss_weights`` has no weight for the term or one of the levels.
        """
        if not isinstance(term, str):
            return self._weigh_by_name(term)
        parts: Iterable[tuple[str | None, Tensor]]
        parts = [(None, losses)] if isinstance(losses, Tensor) else (losses or {}).items()
        weighted: Losses = {}
        for level, loss in parts:
            name = '_'.join(part for part in ('loss', term, level, domain) if part)
            self.log(**{name: loss})
            weighted[name] = loss * self.loss_weight(term, level)
        return weighted

    def loss_weight(self, term: str, level: str | None = None) -> float:
        """Return the current weight of a term: ``loss_weights['<term>']``, or ``['<term>_<level>']`` of a level.

        Several auxiliary levels (``aux_0``, ``aux_1``, ...) share the weight of ``aux`` unless they have their own.

        Raises:
            KeyError: If there is no such weight.
        """
        key = term if level is None else f'{term}_{level}'
        if level is not None and key not in self.loss_weights:
            key = f'{term}_{self._bare_segmentor.level_groups.get(level, level)}'
        if key not in self.loss_weights:
            raise KeyError(
                f'{type(self).__name__} has no loss weight {key!r}, known are {sorted(self.loss_weights)}: add it to '
                'LOSS_WEIGHTS of the class, or, for one more level of the segmentor, to loss_weights of the config'
            )
        return self.loss_weights[key]

    def log(self, **values: Tensor) -> None:
        """Show values in the training log; they are never optimised. A name that is also yielded shows this value."""
        self._logged.update({name: torch.as_tensor(value).detach() for name, value in values.items()})

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
                methods that accept one domain also take batches without the other.
            optim_wrapper: The optimizers of this model by child, an ``AdaptorOptimWrapperDict``.

        Returns:
            Detached scalars for the log, still on the device.

        Raises:
            ValueError: If the batch lacks a domain that the method needs, a part names no optimizer or has no loss, or
                something is yielded after the step.
            RuntimeError: In the first iteration, if a part trains another child than the one it names.
        """
        data = self.data_preprocessor(data, training=True)
        batches = self._domain_batches(data)
        parts = self.adapt(batches['source'], batches['target'])
        del data, batches
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

    def _weights_of_levels(self) -> set[str]:
        """Return the keys that ``loss_weights`` may have: one for each term and each level of the segmentor."""
        terms = {key.removesuffix('_main') for key in self.LOSS_WEIGHTS if key.endswith('_main')}
        return {f'{term}_{level}' for term in terms for level in self._bare_segmentor.level_groups}

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

    def _weigh_by_name(self, losses: Losses) -> Losses:
        """Weigh losses by their names in the log, as earlier plug-ins do."""
        warnings.warn(
            "weigh({'loss_<term>_<level>': loss}) is now written weigh('<term>', {level: loss})",
            FutureWarning,
            stacklevel=3,
        )
        numbers = range(len(self._bare_segmentor.level_groups))
        keys = {f'loss_{key}_{number}': key for key in self.loss_weights for number in numbers}
        keys |= {f'loss_{key}': key for key in self.loss_weights}
        unknown = set(losses) - set(keys)
        if unknown:
            known = sorted(self.loss_weights)
            raise KeyError(f'{type(self).__name__} has no loss weights for {sorted(unknown)}, known are {known}')
        self.log(**losses)
        return {name: loss * self.loss_weights[keys[name]] for name, loss in losses.items()}
