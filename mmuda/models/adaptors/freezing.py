"""Gradients through networks that must not learn."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from mmuda.internals import set_gradient_sync, syncs_gradients


@contextmanager
def frozen(*modules: nn.Module | None) -> Iterator[None]:
    """Freeze the parameters of modules in a context; gradients still flow through the modules to their inputs.

    Modules in DistributedDataParallel also skip gradient synchronisation meanwhile. Otherwise they would wait for
    gradients that are never produced.

    Args:
        *modules: The modules. None is skipped, so that optional networks need no special case.
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
