"""The teacher: a network whose weights are the moving average of the student's weights."""

import inspect
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from mmuda.internals import BatchNorm, copy_each_
from mmuda.ranks import unwrap

from .counter import Counter

BATCH_NORM = ('batch', 'running')
BUFFERS = ('own', 'copied', 'averaged')


class EMATeacher(nn.Module):
    r"""A copy of a network, the student, whose parameters are the moving average of the student's ("mean teacher").

    From Tarvainen and Valpola, NeurIPS 2017. Update k = 0, 1, ... is

    .. math:: \theta_T \leftarrow a_k \theta_T + (1 - a_k) \theta, \quad a_k = \min(1 - 1 / (k + 1), \alpha)

    The first update copies the student. The next ones give the mean of all students so far, until :math:`a_k` reaches
    :math:`\alpha`. The teacher is a child of an adaptor. It is not trained, so it has no optimizer and no distributed
    wrapper. The keys of its network in a checkpoint are ``<child>.segmentor.*``. ::

        self.teacher = EMATeacher(self.segmentor)  # in __init__

        self.teacher.start(self.segmentor)  # in adapt
        outputs = self.teacher(target['inputs'])
        ...
        yield STEP
        if self.stepped:
            self.teacher.update(self.segmentor)

    Every process computes the same average. Running statistics that the teacher's forward passes update differ between
    processes, like those of the student; ``BatchNormSyncHook`` averages both before validations and in checkpoints.

    Args:
        student: The network to copy, without distributed wrapper. Its buffers are copied too.
        decay: :math:`\alpha`.
        warm_up: If False, every update has :math:`a_k = \alpha`.
        batch_norm: Normalisation of batch-norm layers in training. ``'batch'``: as in the student, with the statistics
            of the teacher's images (unless the network has ``norm_eval``). ``'running'``: with the running statistics.
        buffers: ``'own'``: running statistics that the teacher's forward passes update are not changed by an update;
            all other buffers are copied from the student. ``'copied'``: all buffers are copied. ``'averaged'``: buffers
            of a floating type are averaged like parameters; the others are copied.
        dropout: Whether dropout and stochastic depth are active in training.
        mode: Forward mode of the network, see :class:`AdaptiveEncoderDecoder`. None is for a network without modes, of
            your own.

    Raises:
        ValueError: If an option is unknown, the decay is not in [0, 1], or a network with modes gets None.
    """

    without_weights = 'starts as a copy of the segmentor'
    """Start after a checkpoint without a teacher, for the log of :func:`mmuda.checkpoints.load_weights`."""

    def __init__(
        self,
        student: nn.Module,
        decay: float = 0.999,
        warm_up: bool = True,
        batch_norm: str = 'batch',
        buffers: str = 'own',
        dropout: bool = False,
        mode: str | None = 'outputs',
    ) -> None:
        super().__init__()
        for name, value, known in (('batch_norm', batch_norm, BATCH_NORM), ('buffers', buffers, BUFFERS)):
            if value not in known:
                raise ValueError(f'EMATeacher: {name}={value!r}, expected one of {known}')
        if not 0 <= decay <= 1:
            raise ValueError(f'EMATeacher: decay={decay}, expected a number in [0, 1]')
        if mode is None and 'mode' in inspect.signature(student.forward).parameters:
            raise ValueError(f'EMATeacher: mode=None, but {type(student).__name__} has modes: leave mode out')
        self.decay, self.warm_up, self.batch_norm, self.dropout, self.mode = decay, warm_up, batch_norm, dropout, mode
        self.segmentor: Any = deepcopy(student).requires_grad_(False)
        self.updates = Counter()
        self.train()
        self._own = self._own_statistics() if buffers == 'own' else frozenset()
        self._averages_buffers = buffers == 'averaged'

    @torch.no_grad()
    def forward(self, inputs: Tensor, **kwargs: Any) -> Any:
        """Return the outputs of the network for normalised images (N, 3, H, W), without a graph."""
        mode = {} if self.mode is None else dict(mode=self.mode)
        return self.segmentor(inputs, **{**mode, **kwargs})

    def start(self, student: nn.Module) -> None:
        """Copy the student if there was no update yet.

        Call it before the first forward pass of every iteration, because weights can be initialised or loaded after the
        teacher was built.

        Args:
            student: As in :meth:`update`.

        Raises:
            ValueError: As :meth:`update`.
        """
        if self.updates.read() == 0:
            self._average(student, decay=0.0)

    def update(self, student: nn.Module) -> None:
        """Update the moving average with the student's weights.

        Args:
            student: The network, with or without distributed wrapper.

        Raises:
            ValueError: If the names of its parameters and buffers are not those of the network that was copied.
        """
        number = self.updates.read()
        self._average(student, min(1 - 1 / (number + 1), self.decay) if self.warm_up else self.decay)
        self.updates.advance()

    def train(self, mode: bool = True) -> 'EMATeacher':
        """Set the training mode of batch-norm and dropout layers as the options say, or eval mode everywhere."""
        super().train(mode)
        with_batch = [layer for layer in self._batch_norms() if layer.training and self.batch_norm == 'batch']
        if not self.dropout:
            self.segmentor.eval()
        for layer in self._batch_norms():
            layer.eval()
        for layer in with_batch:
            layer.train()
        return self

    @torch.no_grad()
    def _average(self, student: nn.Module, decay: float) -> None:
        ours, theirs = _tensors(self.segmentor, self._own), _tensors(unwrap(student), self._own)
        if ours.keys() != theirs.keys():
            raise ValueError(
                'EMATeacher: the student is not the network that was copied; only one of them has '
                f'{", ".join(sorted(ours.keys() ^ theirs.keys())[:5])}'
            )
        averaged = [
            name
            for name, value in ours.items()
            if isinstance(value, nn.Parameter) or (self._averages_buffers and value.is_floating_point())
        ]
        get_ema_multi_avg_fn(decay)([ours.pop(name) for name in averaged], [theirs.pop(name) for name in averaged], 0)
        copy_each_(list(ours.values()), list(theirs.values()))

    def _batch_norms(self) -> Iterator[nn.Module]:
        return (module for module in self.segmentor.modules() if isinstance(module, BatchNorm))

    def _own_statistics(self) -> frozenset[str]:
        """Return the names of the buffers that forward passes update in training."""
        updated = {layer for layer in self._batch_norms() if layer.training}
        return frozenset(
            f'{path}.{name}'.lstrip('.')
            for path, module in self.segmentor.named_modules()
            if module in updated
            for name, _ in module.named_buffers(recurse=False)
        )


def _tensors(network: nn.Module, without: frozenset[str]) -> dict[str, Tensor]:
    """Return parameters and buffers by name, except those in ``without``."""
    named = dict(network.named_parameters()) | dict(network.named_buffers())
    return {name: value for name, value in named.items() if name not in without}
