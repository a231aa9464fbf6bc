"""Train one network through another that must not learn."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def frozen(*modules: nn.Module | None) -> Iterator[None]:
    """Let gradients pass through modules without accumulating them in their parameters.

    DDP-wrapped modules also skip gradient synchronisation meanwhile; otherwise DDP would wait for gradients that are
    never produced.

    Args:
        *modules: The modules; None is skipped, so that optional networks need no special case.
    """
    present = [module for module in modules if module is not None]
    parameters = [p for module in present for p in module.parameters() if p.requires_grad]
    synced = [m for m in present if isinstance(m, DistributedDataParallel) and m.require_backward_grad_sync]
    for parameter in parameters:
        parameter.requires_grad_(False)
    for wrapper in synced:
        wrapper.require_backward_grad_sync = False
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
        for wrapper in synced:
            wrapper.require_backward_grad_sync = True
