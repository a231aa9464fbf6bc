"""Optimizer wrappers for models whose parts are back-propagated one after the other and stepped together."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmseg.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from mmuda.internals import accumulative_counts, count_iteration
from mmuda.ranks import unwrap

PRECISIONS = {'float16': torch.float16, 'fp16': torch.float16, 'bfloat16': torch.bfloat16, 'bf16': torch.bfloat16}


@OPTIM_WRAPPERS.register_module()
class ModuleOptimWrapper(OptimWrapper):
    """Wrapper of the optimizer of one module, with several backward passes for each step.

    mmengine counts backward passes, and steps after every ``accumulative_counts`` of them. An adaptor has several
    backward passes in one iteration, so :meth:`update` counts iterations instead. With float16 each module has its own
    loss scaler, so that an overflow in a discriminator does not skip the step of the segmentor.

    Args:
        optimizer: The optimizer of the module.
        scaler: Loss scaler, or None without float16.
        fixed_scale: Loss scale that is never changed, even after an overflow. None adapts the scale.
        accumulative_counts: Number of iterations whose gradients are averaged for one step.
        clip_grad: As in mmengine.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler | None = None,
        fixed_scale: float | None = None,
        accumulative_counts: int = 1,
        clip_grad: dict | None = None,
    ) -> None:
        super().__init__(optimizer, accumulative_counts=accumulative_counts, clip_grad=clip_grad)
        self.scaler = scaler
        self.fixed_scale = fixed_scale
        self.grad_norm: Tensor | None = None

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Add the gradients of one part of an iteration."""
        loss = self.scale_loss(loss)
        if self.scaler is not None:
            loss = self.scaler.scale(loss)
        loss.backward(**kwargs)

    def update(self) -> None:
        """End an iteration: step and clear the gradients if enough iterations are accumulated."""
        count_iteration(self)
        if not self.should_update():
            return
        self.step()
        self.zero_grad()

    def step(self, **kwargs: Any) -> None:
        if self.scaler is None:
            super().step(**kwargs)
            return
        if not any(p.grad is not None for group in self.optimizer.param_groups for p in group['params']):
            return  # a scaler fails if there is no gradient at all, and a module can be without loss in an iteration
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update(self.fixed_scale)

    def _clip_grad(self) -> None:
        # mmengine's method reads the norm at once, which waits for the GPU, and logs it under one name for all modules.
        params = [p for group in self.optimizer.param_groups for p in group['params'] if p.grad is not None]
        if params:
            self.grad_norm = self.clip_func(params, **self.clip_grad_kwargs)

    def state_dict(self) -> dict:
        state = super().state_dict()
        if self.scaler is not None:
            state['loss_scaler'] = self.scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        state_dict = dict(state_dict)
        scaler_state = state_dict.pop('loss_scaler', None)
        if self.scaler is not None and scaler_state is not None:
            self.scaler.load_state_dict(scaler_state)
        super().load_state_dict(state_dict)


class AdaptorOptimWrapperDict(OptimWrapperDict):
    """Optimizer wrappers of an adaptor by module name, stepped together after every ``accumulative_counts`` iterations.

    mmengine's dictionary cannot step all of them, and loses the counts of gradient accumulation.

    Args:
        precision: ``None`` for float32, or ``'float16'`` (GPU only) or ``'bfloat16'`` autocast.
        **optim_wrappers: :class:`ModuleOptimWrapper` by module name.
    """

    def __init__(self, precision: str | None = None, **optim_wrappers: ModuleOptimWrapper) -> None:
        super().__init__(**optim_wrappers)
        self.dtype = None if precision is None else PRECISIONS[precision]

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast, and skip gradient synchronisation in iterations that only accumulate."""
        with ExitStack() as stack:
            if not self._leader.should_sync():
                for child in model.children():
                    no_sync: Any = getattr(child, 'no_sync', None)
                    if no_sync is not None:
                        stack.enter_context(no_sync())
            if self.dtype is not None:
                stack.enter_context(torch.autocast(get_device().split(':')[0], dtype=self.dtype))
            yield

    def step(self, **kwargs: Any) -> None:
        """End the iteration of every module."""
        for wrapper in self.optim_wrappers.values():
            wrapper.update()

    def grad_norms(self) -> dict[str, Tensor]:
        """Return the gradient norms before clipping, for the log; only of modules with ``clip_grad``."""
        return {
            f'{name}.grad_norm': wrapper.grad_norm
            for name, wrapper in self.optim_wrappers.items()
            if wrapper.grad_norm is not None
        }

    def stepped(self) -> bool:
        """Return whether the last iteration that :meth:`step` ended changed the weights."""
        return self._leader.should_update()

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        """Set the current iteration of every wrapper, so that the mean over a last, incomplete group is correct."""
        bare = unwrap(model)
        for name, wrapper in self.optim_wrappers.items():
            wrapper.initialize_count_status(getattr(bare, name), cur_iter, max_iters)

    def load_state_dict(self, state_dict: dict[str, dict]) -> None:
        """Load the state of every optimizer.

        Raises:
            KeyError: If the names of the modules differ.
        """
        if set(state_dict) != set(self.optim_wrappers):
            raise KeyError(
                f'the checkpoint has optimizers for {sorted(state_dict)}, this config for '
                f'{sorted(self.optim_wrappers)}: resume with the config that wrote it, or use load_from'
            )
        super().load_state_dict(state_dict)

    @property
    def accumulative_counts(self) -> int:
        """Number of iterations for one step."""
        return accumulative_counts(self._leader)

    @property
    def _leader(self) -> ModuleOptimWrapper:
        return next(iter(self.optim_wrappers.values()))


def make_scaler(precision: str | None, loss_scale: str | float) -> torch.amp.GradScaler | None:
    """Return the loss scaler for a precision: a scaler for float16, otherwise None.

    Args:
        precision: As in :class:`AdaptorOptimWrapperDict`.
        loss_scale: ``'dynamic'``, or the initial scale.

    Raises:
        ValueError: If the precision is unknown, or is float16 without a GPU.
    """
    if precision is None:
        return None
    if precision not in PRECISIONS:
        raise ValueError(f'precision={precision!r}, expected None or one of {sorted(PRECISIONS)}')
    if PRECISIONS[precision] is not torch.float16:
        return None
    device = get_device().split(':')[0]
    if device == 'cpu':
        raise ValueError("precision='float16' needs a GPU: on a CPU use 'bfloat16'")
    if loss_scale == 'dynamic':
        return torch.amp.GradScaler(device)
    return torch.amp.GradScaler(device, init_scale=float(loss_scale))
