"""Networks that others are trained through."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from mmuda.internals import set_gradient_sync, syncs_gradients


@contextmanager
def frozen(*modules: nn.Module | None) -> Iterator[None]:
    """Gradients pass through the modules but are not accumulated in their parameters.

    A module that is wrapped for distributed training also does not synchronise: with nothing to reduce it would wait
    for gradients that never come. ``None`` is accepted, so optional networks need no special case.
    """
    present = [module for module in modules if module is not None]
    parameters = [p for module in present for p in module.parameters() if p.requires_grad]
    synced = [module for module in present if syncs_gradients(module)]
    for parameter in parameters:
        parameter.requires_grad_(False)
    for module in synced:
        set_gradient_sync(module, False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
        for module in synced:
            set_gradient_sync(module, True)
