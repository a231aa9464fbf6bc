"""Find mistakes in methods that would otherwise silently train something else."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from mmuda.internals import version_of


@contextmanager
def only_reaches(adaptor: nn.Module, name: str) -> Iterator[None]:
    """Check that a backward pass changes the gradients of one child only.

    Args:
        adaptor: The parent of the children.
        name: The child that may receive gradients.

    Raises:
        RuntimeError: If another child receives gradients, because a ``detach`` or a ``frozen`` is missing. The message
            names that child.
    """
    before = _gradient_versions(adaptor)
    yield
    after = _gradient_versions(adaptor)
    reached = [child for child in after if child != name and after[child] != before[child]]
    if reached:
        raise RuntimeError(
            f'{type(adaptor).__name__}.adapt: the losses yielded for {name!r} also reach the weights of '
            f'{", ".join(reached)}: detach what comes from there, or put the pass under frozen(...)'
        )


def _gradient_versions(adaptor: nn.Module) -> dict[str, list]:
    """Return, for each child, a value per parameter that changes with every addition to its gradient."""
    return {
        child: [None if p.grad is None else (id(p.grad), version_of(p.grad)) for p in module.parameters()]
        for child, module in adaptor.named_children()
    }
