"""The base of every method: who may be called, who is stepped, what is logged."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from mmengine.model import BaseModel
from mmseg.registry import MODELS
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmuda.ranks import unwrap

from ..labels import labels_of
from ..losses import cross_entropy, lovasz_softmax
from ..segmentors import SegOutputs
from .checks import check_heads, only_reaches
from .freezing import frozen

Losses = dict[str, Tensor]


class BaseAdaptor(BaseModel, metaclass=ABCMeta):
    """A segmentor and whatever else a method trains beside it.

    A method implements :meth:`adapt`, a generator that reads like the paper's algorithm box: it yields
    ``(module name, {loss name: tensor})`` and each yielded dict is back-propagated before the generator goes on, so the
    graph of the source images is freed before that of the target images is built. After the last one every optimizer
    steps once and its gradients are cleared.

    Every trainable direct child (``segmentor``, ``discriminator``, ...) has its own optimizer of the same name in
    ``optim_wrapper`` and, in distributed training, its own wrapper: call children, never their children. State that
    training needs (teachers, statistics, counters) belongs in buffers or frozen children: it is then saved and resumed.

    Args:
        segmentor: Config of an :class:`AdaptiveEncoderDecoder`.
        data_preprocessor: Config of a :class:`DomainPairPreprocessor`.
        loss_weights: Weights that differ from the method's :attr:`LOSS_WEIGHTS`. They live in
            ``self.loss_weights``, where :class:`LossWeightRampHook` finds them.

    Raises:
        ValueError: If ``loss_weights`` has a key that the method does not know, or a head brings losses of its own that
            would be ignored.
    """

    LOSS_WEIGHTS: Mapping[str, float] = dict(seg_main=1.0, seg_aux=0.1)
    """Known loss weights and their values in the paper."""

    TAKES_ONE_SIDE = False
    """Whether :meth:`adapt` may be given None for ``source`` or ``target``: batches of a ``DomainMixDataset``."""

    def __init__(
        self,
        segmentor: dict,
        data_preprocessor: dict | None = None,
        loss_weights: Mapping[str, float] | None = None,
        init_cfg: dict | None = None,
        train_cfg: None = None,
        pretrained: None = None,
    ) -> None:
        if train_cfg is not None or pretrained is not None:  # mmseg's init_model sets both to None
            raise ValueError(f'{type(self).__name__} takes no train_cfg and no pretrained: they belong into segmentor')
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)  # mmengine alone would not look in mmseg's registry
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.segmentor = MODELS.build(segmentor)
        unknown = set(loss_weights or ()) - set(self.LOSS_WEIGHTS)
        if unknown:
            raise ValueError(
                f'{type(self).__name__}: unknown loss_weights {sorted(unknown)}, known are {sorted(self.LOSS_WEIGHTS)}'
            )
        self.loss_weights = {**self.LOSS_WEIGHTS, **(loss_weights or {})}
        check_heads(self.segmentor)
        self._frozen_children: set = set()
        self._routes_checked = False
        self._logged: Losses = {}

    # What a method writes.

    @abstractmethod
    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        """One training iteration as the paper writes it.

        Args:
            source: ``inputs`` (N, 3, H, W) and labelled ``data_samples``.
            target: ``inputs`` (M, 3, H', W') and ``data_samples`` without labels.

        Yields:
            ``(module name, {loss name: scalar tensor})``: the sum of the values is back-propagated through the
            optimizer of that module at once. Nothing else is ever optimised, whatever its name.
        """

    # What a method calls.

    def segment(self, batch: dict) -> SegOutputs:
        """Forward the images of one domain through the segmentor, batch-norm statistics being theirs alone."""
        return self.segmentor(batch['inputs'], mode='outputs')

    @property
    def feature_channels(self) -> int:
        """K of the one feature map that the decode head reads.

        Raises:
            ValueError: If it reads several.
        """
        head = self.decode_head
        if not isinstance(head.in_index, int) or not isinstance(head.in_channels, int):
            raise ValueError(
                f'{type(self).__name__} looks at the one feature map that the decode head reads, but its in_index is '
                f'{head.in_index}, its in_channels {head.in_channels}: choose a head of one stage'
            )
        return head.in_channels

    def head_features(self, outputs: SegOutputs) -> Tensor:
        """The feature map (N, K, h, w) that the decode head reads, see :attr:`feature_channels`."""
        return outputs.features[self.decode_head.in_index]

    def without_heads(self, auxiliary_only: bool = False) -> AbstractContextManager[None]:
        """Forward passes inside leave the heads out of their graph.

        For losses that do not look at their logits: heads that get no gradient must take no part, or a distributed
        wrapper would wait for it.

        Args:
            auxiliary_only: The decode head takes part.
        """
        return frozen(
            None if auxiliary_only else self.decode_head, getattr(self._bare_segmentor, 'auxiliary_head', None)
        )

    def supervised_losses(self, outputs: SegOutputs, batch: dict) -> Losses:
        """Cross-entropy of every level on the labels of ``batch``, as ``loss_seg_<level>``.

        A method that has a loss weight ``lov_<level>`` other than 0 adds the Lovász-softmax loss of that level.

        Labels have the size of the images, or that of the logits if they were sampled at the stride of the network.
        Levels are weighted by ``loss_weights['seg_<level>']`` (``aux_0``, ``aux_1``, ... share ``seg_aux``); the log
        shows the unweighted values.
        """
        labels = labels_of(batch)
        losses: Losses = {}
        for level in outputs.levels:
            logits = outputs.like(level, tuple(labels.shape[-2:]))
            losses[f'loss_seg_{level}'] = cross_entropy(logits, labels)
            if self.loss_weights.get(f'lov_{level}'):
                losses[f'loss_lov_{level}'] = lovasz_softmax(logits, labels)
        return self.weigh(losses)

    def weigh(self, losses: Losses) -> Losses:
        """Log ``loss_<name>`` as it is and return it times ``loss_weights[<name>]``.

        A numbered level (``loss_seg_aux_0``) without a weight of its own uses that of the name without the number.
        """
        self.log(**losses)
        return {name: loss * self._weight(name[len('loss_') :]) for name, loss in losses.items()}

    def log(self, **values: Tensor) -> None:
        """Show values in the training log; they are never optimised. A name that is also yielded shows this value."""
        self._logged.update({name: torch.as_tensor(value).detach() for name, value in values.items()})

    def freeze(self, *names: str) -> None:
        """Keep direct children (a teacher) in eval mode and without gradients for good.

        The training loop calls ``train()`` in every iteration, which would otherwise wake them up.
        """
        for name in names:
            getattr(self, name).requires_grad_(False).eval()
            self._frozen_children.add(name)

    # What the runner calls.

    def train_step(self, data: dict, optim_wrapper) -> Losses:
        """Run :meth:`adapt`, back-propagating each of its parts, then step every optimizer once.

        Args:
            data: A collated batch of a :class:`DomainPairDataset`, or, if the method takes one side alone, of a
                :class:`DomainMixDataset`.
            optim_wrapper: The :class:`AdaptorOptimWrapperDict` of this model.

        Returns:
            Detached scalars for the log, still on the device.

        Raises:
            ValueError: If a domain is missing that the method needs, a part names no optimizer, or has no loss.
            RuntimeError: In the first iteration, if a part trains another child than the one it names.
        """
        data = self.data_preprocessor(data, training=True)
        sides = [side for side in ('source', 'target') if side in data]
        if not sides or len(sides) < 2 and not self.TAKES_ONE_SIDE:
            wanted, dataset = ('both source and target', 'DomainPairDataset')
            if self.TAKES_ONE_SIDE:
                wanted, dataset = ('source, target or both', 'DomainMixDataset')
            raise ValueError(
                f'{type(self).__name__} trains with images of {wanted}, but the batch has {sorted(data)}: '
                f'use a {dataset} in train_dataloader'
            )
        parts = self.adapt(data.get('source'), data.get('target'))
        del data
        logs: Losses = {}
        self._logged = {}
        while True:
            # Only forward passes belong under autocast; the context must not be left open between two parts.
            with optim_wrapper.optim_context(self):
                part = next(parts, None)
            if part is None:
                break
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
        optim_wrapper.step()
        self._routes_checked = True
        logs.update(optim_wrapper.grad_norms())
        logs.update(self._logged)
        return logs

    def val_step(self, data: dict) -> list:
        """Predictions of the segmentor for a plain mmseg batch."""
        return self.test_step(data)

    def test_step(self, data: dict) -> list:
        """Predictions of the segmentor for a plain mmseg batch."""
        return super().test_step(data)

    @torch.no_grad()
    def probabilities(self, data: dict, at: str = 'image') -> list[Tensor]:
        """Class probabilities (C, H, W), float32, of each image of a plain mmseg batch.

        Args:
            data: A collated batch that is not preprocessed.
            at: ``'image'`` or ``'input'``, see :meth:`AdaptiveEncoderDecoder.probabilities`.
        """
        data = self.data_preprocessor(data, training=False)
        return self._bare_segmentor.probabilities(data['inputs'], data['data_samples'], at=at)

    def forward(
        self, inputs: Tensor, data_samples: SampleList | None = None, mode: str = 'tensor'
    ) -> Tensor | list | dict:
        """Inference goes straight to the segmentor, so mmseg's loops, inferencers and visualizers work.

        Raises:
            RuntimeError: For ``mode='loss'``: an adaptor is trained by :meth:`train_step`.
        """
        if mode == 'loss':
            raise RuntimeError(
                f'{type(self).__name__} has no joint loss to return: its losses are back-propagated '
                'part by part in train_step'
            )
        return self.segmentor(inputs, data_samples, mode=mode)

    def train(self, mode: bool = True) -> 'BaseAdaptor':
        """As usual, but frozen children stay in eval mode."""
        super().train(mode)
        for name in self._frozen_children:
            getattr(self, name).eval()
        return self

    # Attributes that mmseg's inferencer, visualizer and TTA look up on a segmentor.

    @property
    def align_corners(self) -> bool:
        """Corner convention of the segmentor."""
        return self._bare_segmentor.align_corners

    @property
    def num_classes(self) -> int:
        """Number C of classes of the segmentor."""
        return self._bare_segmentor.num_classes

    @property
    def out_channels(self) -> int:
        """Channels of the logits."""
        return self._bare_segmentor.out_channels

    @property
    def decode_head(self) -> nn.Module:
        """The decode head of the segmentor; to look at, not to call during training."""
        return self._bare_segmentor.decode_head

    @property
    def _bare_segmentor(self) -> nn.Module:
        return unwrap(self.segmentor)

    def _weight(self, name: str) -> float:
        if name in self.loss_weights:
            return self.loss_weights[name]
        stem, _, number = name.rpartition('_')
        if number.isdigit() and stem in self.loss_weights:
            return self.loss_weights[stem]
        raise KeyError(f'{type(self).__name__} has no loss weight for {name!r}, known are {sorted(self.loss_weights)}')

    def _dump_init_info(self) -> None:
        """mmengine would log a line for every parameter; one look at a checkpoint tells more."""
