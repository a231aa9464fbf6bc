"""The base of every method: the training step, and the functions that methods call in it."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor

from mmuda.constants import TARGET_LABELLED

from ..segmentors import SegOutputs
from ..segmentors.head_outputs import CLASS_MAPS
from .checks import only_reaches
from .freezing import frozen
from .loss_weights import Losses
from .supervision import Supervision

DOMAINS = ('source', 'target')

Parts = Iterator[tuple[str, Losses] | None]
"""Items of :meth:`BaseAdaptor.adapt`: the losses of one child, or :data:`STEP`."""

STEP = None
"""Yielded once, after all losses: the optimizers step here. The code after the ``yield`` runs after the step."""

END: Any = object()
"""Returned by ``next`` when :meth:`BaseAdaptor.adapt` has ended."""


class BaseAdaptor(Supervision, metaclass=ABCMeta):
    """The base of every method: a segmentor with the other networks and the state of the method.

    A method implements :meth:`adapt`, a generator that reads like the algorithm in the paper. It yields
    ``(module name, {loss name: tensor})``. The losses are back-propagated before the generator resumes, so the graph of
    the source images is freed before that of the target images is built. After the last losses every optimizer steps
    once and its gradients are cleared. Code that must run after the step, such as the update of an EMA teacher, follows
    a ``yield STEP``::

        def adapt(self, source, target):
            yield 'segmentor', self.supervised_losses(self.segment(source), source)
            yield STEP
            if self.stepped:  # False in iterations that only gather gradients
                self.teacher.update(self.segmentor)

    A child is a network that is a direct attribute of the adaptor (``segmentor``, ``discriminator``, ...). Every
    trainable child has an optimizer of the same name in ``optim_wrapper`` and, in distributed training, its own
    wrapper. Therefore call children, never their submodules. Keep state that training needs (teachers, statistics,
    counters) in buffers or frozen children, so that it is saved and resumed.

    Every method can also train on target images with ground truth (``target_labelled`` of the data set). Their
    :meth:`supervised_losses`, times the loss weight ``target_labelled``, are added after the losses of :meth:`adapt`
    and before the step.

    Args:
        segmentor: Config of an :class:`AdaptiveEncoderDecoder`.
        data_preprocessor: Config of a :class:`DomainPairPreprocessor`.
        loss_weights: Weights that differ from the method's :attr:`LOSS_WEIGHTS`. A term with a weight for the level
            ``main`` can have one for each level of the segmentor. The attribute ``loss_weights`` has all weights; hooks
            can change them during training.
        init_cfg: As in mmengine.
        train_cfg: Must be None; accepted because mmseg's ``init_model`` sets it.
        pretrained: Must be None; accepted because mmseg's ``init_model`` sets it.

    Raises:
        ValueError: If ``loss_weights`` has an unknown key, if the config gives a head losses that the method cannot
            use, or if ``train_cfg`` or ``pretrained`` is not None.
    """

    ACCEPTS_ONE_DOMAIN = False
    """Whether a batch can have one domain only; the argument of :meth:`adapt` for the other is then None."""

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
            raise ValueError(f'{type(self).__name__} takes no train_cfg and no pretrained: set them in segmentor')
        super().__init__(segmentor, data_preprocessor, init_cfg, loss_weights)
        self._frozen_children: set[str] = set()
        self._routes_checked = False
        self.stepped = True
        """Whether the last step changed the weights: False while gradients are accumulated over several iterations.

        True before the first step, also after a resume, because checkpoints are written after a change of the weights.
        """

    # Implemented by each method.

    @abstractmethod
    def adapt(self, source: dict, target: dict) -> Parts:
        """Run one training iteration of the method.

        Args:
            source: ``inputs`` (N, 3, H, W) and labelled ``data_samples``.
            target: ``inputs`` (M, 3, H', W') and ``data_samples`` without labels.

        Yields:
            ``(module name, {loss name: scalar tensor})``: the sum of the values is back-propagated immediately, through
            the optimizer wrapper of that module. All values are optimised, whatever their names, and nothing else is.
            :data:`STEP`, at most once and after all losses: the optimizers step there and not at the end.
        """

    # Called by methods.

    @property
    def feature_channels(self) -> int:
        """Number K of channels of the feature map that is the input of the decode head.

        Raises:
            ValueError: If the decode head takes several feature maps.
        """
        head = self.decode_head
        if isinstance(head, tuple(CLASS_MAPS)):
            raise ValueError(
                f'{type(self).__name__} needs a decode head that takes one feature map, but '
                f'{type(head).__name__} takes several: choose a head of one stage'
            )
        if not isinstance(head.in_index, int) or not isinstance(head.in_channels, int):
            raise ValueError(
                f'{type(self).__name__} needs a decode head that takes one feature map, but its in_index is '
                f'{head.in_index} and its in_channels is {head.in_channels}: choose a head of one stage'
            )
        return head.in_channels

    def head_features(self, outputs: SegOutputs) -> Tensor:
        """Return the feature map (N, K, h, w) that is the input of the decode head, see :attr:`feature_channels`."""
        return outputs.features[self.decode_head.in_index]

    def without_heads(self, auxiliary_only: bool = False) -> AbstractContextManager[None]:
        """Return a context in which the parameters of the heads are frozen.

        Use it around a forward pass whose loss does not depend on logits. Otherwise DDP would wait for gradients of
        heads that ran but do not contribute to the loss.

        Args:
            auxiliary_only: Freeze auxiliary heads only, not the decode head.
        """
        return frozen(
            None if auxiliary_only else self.decode_head, getattr(self._bare_segmentor, 'auxiliary_head', None)
        )

    def freeze(self, *names: str) -> None:
        """Keep children, such as a fixed network, in eval mode and without gradients for the whole training.

        The training loop calls ``train()`` in every iteration, which would otherwise put them back into train mode.

        Args:
            *names: Names of attributes of this adaptor.
        """
        for name in names:
            getattr(self, name).requires_grad_(False).eval()
            self._frozen_children.add(name)

    # Called by the runner.

    def train_step(self, data: dict, optim_wrapper: Any) -> Losses:
        """Run :meth:`adapt`, back-propagate the losses of each part, then step every optimizer once.

        Args:
            data: A collated batch, ``{'source': {'inputs', 'data_samples'}, 'target': {'inputs', 'data_samples'}}``,
                optionally with ``'target_labelled'``. Methods that accept one domain also take batches without the
                other.
            optim_wrapper: The optimizers of this model by child, an ``AdaptorOptimWrapperDict``.

        Returns:
            Detached scalars for the log, still on the device.

        Raises:
            ValueError: If the batch lacks a domain that the method needs, if a part has no loss or the name of a module
                without an optimizer, or if something is yielded after the step.
            RuntimeError: In the first iteration, if the losses of a part reach another child than the named one, or if
                the losses that the config gives to a head were not used.
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
            # Only forward passes run under autocast, so the context is closed before each backward pass.
            with optim_wrapper.optim_context(self):
                part = next(parts, END)
            if part is END:
                break
            if ended:
                raise ValueError(f'{type(self).__name__}.adapt yielded again after STEP: yield all losses before STEP')
            if part is STEP:
                self._step(optim_wrapper)
                ended = True
                continue
            name, losses = part
            if name not in optim_wrapper or not losses:
                raise ValueError(
                    f'{type(self).__name__}.adapt yielded {len(losses)} losses for {name!r}: expected at least one (it '
                    f'can be a zero that depends on the network), for one of {list(optim_wrapper.keys())}'
                )
            total = sum(losses.values())
            with nullcontext() if self._routes_checked else only_reaches(self, name):
                optim_wrapper[name].backward(total)
            logs.update({key: value.detach() for key, value in losses.items()})
            del part, losses, total
        if not ended:
            self._step(optim_wrapper)
        if not self._routes_checked:
            self.check_heads_used()
        self._routes_checked = True
        logs.update(optim_wrapper.grad_norms())
        logs.update(self._logged)
        return logs

    def train(self, mode: bool = True) -> 'BaseAdaptor':
        """Set the training mode; children of :meth:`freeze` stay in eval mode."""
        super().train(mode)
        for name in self._frozen_children:
            getattr(self, name).eval()
        return self

    # Details.

    def _parts(self, batches: dict[str, Any], labelled: dict | None) -> Parts:
        """Return the parts of :meth:`adapt`, with the losses of labelled target images before the step, if any."""
        parts = self.adapt(batches['source'], batches['target'])
        return parts if labelled is None else self._with_labelled(parts, labelled)

    def _with_labelled(self, parts: Parts, labelled: dict) -> Parts:
        while True:
            part = next(parts, END)
            if part is STEP or part is END:
                break
            yield part
            del part  # frees its graph
        yield 'segmentor', self.labelled_target_losses(labelled)
        if part is STEP:
            yield STEP
            yield from parts

    def _step(self, optim_wrapper: Any) -> None:
        """Step every optimizer and store in ``stepped`` whether the weights changed."""
        optim_wrapper.step()
        self.stepped = optim_wrapper.stepped()

    def _domain_batches(self, data: dict) -> dict[str, Any]:
        """Return the preprocessed batches by domain; None for a domain that the batch does not have."""
        found = [domain for domain in DOMAINS if domain in data]
        if len(found) < (1 if self.ACCEPTS_ONE_DOMAIN else 2):
            wanted = 'source, target or both' if self.ACCEPTS_ONE_DOMAIN else 'both source and target'
            raise ValueError(
                f'{type(self).__name__} trains with images of {wanted}, but the batch has {sorted(data)}: '
                f"train_dataloader needs a data set whose items are {{'source': ..., 'target': ...}}"
            )
        return {domain: data.get(domain) for domain in DOMAINS}
