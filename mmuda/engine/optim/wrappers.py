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
    """The optimizer of one module, with several backward passes for each step.

    mmengine counts backward passes and steps every ``accumulative_counts`` of them; an adaptor has several in one
    iteration, so here iterations are counted, by :meth:`update`. Float16 uses a loss scaler of its own for each
    module, so an overflow in a discriminator does not cost the segmentor its step.

    Args:
        optimizer: The optimizer of the module.
        scaler: Loss scaler, or None without float16.
        fixed_scale: Loss scale that is kept, also after an overflow; None adapts it.
        accumulative_counts: Iterations whose gradients are averaged for one step.
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
        """End an iteration: step and clear the gradients if enough iterations are gathered."""
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
            return  # A scaler asserts that there was a gradient to look at; a module may rest in an iteration.
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update(self.fixed_scale)

    def _clip_grad(self) -> None:
        # mmengine's reads the norm at once, which waits for the GPU, and under one name for all modules.
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
    """The optimizers of an adaptor by module name, stepped together once for each iteration (or few).

    mmengine's dictionary refuses to step and loses the counts of gradient accumulation; this one does both.

    Args:
        precision: ``None`` for float32, or ``'float16'`` (GPU only) or ``'bfloat16'`` autocast.
        **optim_wrappers: :class:`ModuleOptimWrapper` by module name.
    """

    def __init__(self, precision: str | None = None, **optim_wrappers: ModuleOptimWrapper) -> None:
        super().__init__(**optim_wrappers)
        self.dtype = None if precision is None else PRECISIONS[precision]

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and no gradient synchronisation in iterations that only accumulate."""
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
        """Norms before clipping of the modules that clip theirs, for the log."""
        return {
            f'{name}.grad_norm': wrapper.grad_norm
            for name, wrapper in self.optim_wrappers.items()
            if wrapper.grad_norm is not None
        }

    def stepped(self) -> bool:
        """Whether the iteration that :meth:`step` ended last changed the weights."""
        return self._leader.should_update()

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        """Tell every wrapper where training stands, so that the last, incomplete group of iterations counts in full."""
        bare = unwrap(model)
        for name, wrapper in self.optim_wrappers.items():
            wrapper.initialize_count_status(getattr(bare, name), cur_iter, max_iters)

    def load_state_dict(self, state_dict: dict[str, dict]) -> None:
        """Load every optimizer.

        Raises:
            KeyError: If the names differ.
        """
        if set(state_dict) != set(self.optim_wrappers):
            raise KeyError(
                f'the checkpoint has optimizers for {sorted(state_dict)}, this config for '
                f'{sorted(self.optim_wrappers)}: resume with the config that wrote it, or use load_from'
            )
        super().load_state_dict(state_dict)

    @property
    def accumulative_counts(self) -> int:
        """Iterations for one step."""
        return accumulative_counts(self._leader)

    @property
    def _leader(self) -> ModuleOptimWrapper:
        return next(iter(self.optim_wrappers.values()))


def make_scaler(precision: str | None, loss_scale: str | float) -> torch.amp.GradScaler | None:
    """The loss scaler that a precision needs: one for float16, none otherwise.

    Args:
        precision: As in :class:`AdaptorOptimWrapperDict`.
        loss_scale: ``'dynamic'``, or the first scale.

    Raises:
        ValueError: For an unknown precision, or float16 without a GPU.
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
