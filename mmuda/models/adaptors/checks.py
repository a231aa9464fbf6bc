"""Checks of methods: mistakes that would otherwise train the wrong network without an error."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from mmuda.internals import version_of


@contextmanager
def only_reaches(adaptor: nn.Module, name: str) -> Iterator[None]:
    """Check that a backward pass changes the gradients of one child only.

    Args:
        adaptor: The parent of the children.
        name: The only child that is allowed to receive gradients.

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
            f'{", ".join(reached)}: detach its outputs, or run its forward pass in a frozen(...) context'
        )


def _gradient_versions(adaptor: nn.Module) -> dict[str, list]:
    """Return for each child a list with a value for each parameter, which changes whenever its gradient changes."""
    return {
        child: [None if p.grad is None else (id(p.grad), version_of(p.grad)) for p in module.parameters()]
        for child, module in adaptor.named_children()
    }
