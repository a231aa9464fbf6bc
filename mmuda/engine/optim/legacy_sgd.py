"""SGD as in the released code of AdaptSegNet and its successors: with weights that are listed several times."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from mmengine.registry import OPTIMIZERS
from torch.optim import Optimizer

from mmuda.internals import add_each, add_each_, multiply_each_

VERSIONS = ('0.4', '1.5', '1.9')


@OPTIMIZERS.register_module()
class LegacySGD(Optimizer):
    r"""PyTorch's SGD with weights that are listed ``repeats`` times in a group.

    The code of AdaptSegNet, ADVENT and DACS lists the weights of the backbone by a walk over nested modules. So a
    weight is listed once for every module that encloses it: 3 times for a convolution of a bottleneck, 4 times for one
    of a shortcut. With gradient :math:`g`, weight :math:`p`, momentum buffer :math:`v` and decay :math:`w`, each step
    then does the following ``repeats`` times:

    .. math:: d \leftarrow g + w p, \quad v \leftarrow \mu v + d, \quad p \leftarrow p - \eta v

    In the very first update :math:`v = d`. The published numbers were trained with this (about 3x to 4x the nominal
    learning rate in the backbone). With ``repeats=1`` everywhere the result equals :class:`torch.optim.SGD`.

    ``repeats`` is a key of the parameter groups; ``repeats`` of :class:`PerModuleOptimWrapperConstructor` sets it.

    Args:
        params: Parameters or groups.
        lr: Learning rate.
        momentum: Momentum factor.
        weight_decay: L2 penalty.
        repeats: Number of times that each weight of a group is listed.
        version: Release of PyTorch whose treatment of repeated weights is used. ``'0.4'`` (AdaptSegNet, ADVENT): the
            decay is added **into** the gradient, :math:`g \leftarrow g + w p`, so it accumulates over the repeats.
            ``'1.5'`` (DACS): as above. ``'1.9'``: as above, but in the very first step every repeat has :math:`v = d`.

    Raises:
        ValueError: If a number is out of range, or the version is unknown.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        repeats: int = 1,
        version: str = '0.4',
    ) -> None:
        if lr < 0 or momentum < 0 or weight_decay < 0 or repeats < 1:
            raise ValueError(
                'LegacySGD needs lr, momentum, weight_decay >= 0 and repeats >= 1, but got '
                f'lr={lr}, momentum={momentum}, weight_decay={weight_decay}, repeats={repeats}'
            )
        if version not in VERSIONS:
            raise ValueError(f'LegacySGD: version={version!r}, expected one of {VERSIONS}')
        self.version = version
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, repeats=repeats))

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> Any:
        """Make one step. With ``version='0.4'`` and weight decay, gradients are changed in place."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group['params'] if p.grad is not None]
            if params:
                self._step_group(params, group)
        return loss

    def _step_group(self, params: list, group: dict) -> None:
        moving = self._moving(params)
        for _ in range(group['repeats']):
            updates = [p.grad for p in params]
            if group['weight_decay'] and self.version == '0.4':
                add_each_(updates, params, alpha=group['weight_decay'])
            elif group['weight_decay']:
                updates = add_each(updates, params, alpha=group['weight_decay'])
            if group['momentum']:
                updates = self._momentum(params, updates, group['momentum'], moving)
            add_each_(params, updates, alpha=-group['lr'])
            if self.version != '1.9':
                moving = self._moving(params)

    def _moving(self, params: list) -> list[bool]:
        """Return which weights have a momentum buffer."""
        return ['momentum_buffer' in self.state[p] for p in params]

    def _momentum(self, params: list, updates: list, momentum: float, moving: list[bool]) -> list:
        """Add updates to the momentum buffers, or start new buffers with them, and return the buffers."""
        known = [(self.state[p]['momentum_buffer'], u) for p, u, m in zip(params, updates, moving, strict=True) if m]
        if known:
            buffers, additions = map(list, zip(*known, strict=True))
            multiply_each_(buffers, momentum)
            add_each_(buffers, additions)
        for p, update, moves in zip(params, updates, moving, strict=True):
            if not moves:
                self.state[p]['momentum_buffer'] = update.clone()
        return [self.state[p]['momentum_buffer'] for p in params]
