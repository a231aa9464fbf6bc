"""SGD as the released AdaptSegNet and ADVENT ran it: the same weight listed several times in one group."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from mmengine.registry import OPTIMIZERS
from torch.optim import Optimizer

from mmuda.internals import add_each_, multiply_each_


@OPTIMIZERS.register_module()
class LegacySGD(Optimizer):
    r"""PyTorch 0.4's SGD with weights that are listed ``repeats`` times, one after the other.

    The generator with which AdaptSegNet and ADVENT list the trunk walks nested modules, so a weight appears once for
    every module around it: 3 times for a convolution of a bottleneck, 4 times for one of a shortcut. With gradient
    :math:`g`, weight :math:`p`, momentum buffer :math:`v`, decay :math:`w`, each step then does, ``repeats`` times,

    .. math:: g \leftarrow g + w p, \quad v \leftarrow \mu v + g, \quad p \leftarrow p - \eta v

    with :math:`v = g` the first time ever. The decay is added **into** the gradient, so it accumulates over the
    repeats. The published numbers were trained with this (about 3x to 4x the nominal learning rate in the trunk). With
    ``repeats=1`` everywhere the result equals :class:`torch.optim.SGD`.

    ``repeats`` is a key of the parameter groups; ``PerModuleOptimWrapperConstructor(repeats=...)`` fills it in.

    Args:
        params: Parameters or groups.
        lr: Learning rate.
        momentum: Momentum factor.
        weight_decay: L2 penalty.
        repeats: How often each weight of a group is listed.
    """

    def __init__(
        self, params: Iterable, lr: float, momentum: float = 0.0, weight_decay: float = 0.0, repeats: int = 1
    ) -> None:
        if lr < 0 or momentum < 0 or weight_decay < 0 or repeats < 1:
            raise ValueError(
                'LegacySGD needs lr, momentum, weight_decay >= 0 and repeats >= 1, but got '
                f'lr={lr}, momentum={momentum}, weight_decay={weight_decay}, repeats={repeats}'
            )
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, repeats=repeats))

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> Any:
        """One step; gradients are changed in place, as in PyTorch 0.4."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group['params'] if p.grad is not None]
            if not params:
                continue
            grads = [p.grad for p in params]
            for _ in range(group['repeats']):
                if group['weight_decay']:
                    add_each_(grads, params, alpha=group['weight_decay'])
                updates = grads
                if group['momentum']:
                    updates = self._momentum(params, grads, group['momentum'])
                add_each_(params, updates, alpha=-group['lr'])
        return loss

    def _momentum(self, params: list, grads: list, momentum: float) -> list:
        fresh = [(p, g) for p, g in zip(params, grads, strict=True) if 'momentum_buffer' not in self.state[p]]
        known = [(p, g) for p, g in zip(params, grads, strict=True) if 'momentum_buffer' in self.state[p]]
        if known:
            buffers = [self.state[p]['momentum_buffer'] for p, _ in known]
            multiply_each_(buffers, momentum)
            add_each_(buffers, [g for _, g in known])
        for p, g in fresh:
            self.state[p]['momentum_buffer'] = g.clone()
        return [self.state[p]['momentum_buffer'] for p in params]
