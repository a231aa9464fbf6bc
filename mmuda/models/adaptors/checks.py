"""Find mistakes in configs and methods that would otherwise silently train something else."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmseg.models.losses import CrossEntropyLoss
from torch import nn

from mmuda.internals import version_of


def check_heads(segmentor: nn.Module) -> None:
    """Refuse heads whose own training settings would have no effect.

    Adaptors compute the losses of all levels themselves and weight them by ``loss_weights``.

    Raises:
        ValueError: If a head has a pixel sampler, or losses other than the plain cross-entropy.
    """
    for name in ('decode_head', 'auxiliary_head'):
        heads = getattr(segmentor, name, None)
        for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
            loss = getattr(head, 'loss_decode', None)
            plain = loss is None or (
                isinstance(loss, CrossEntropyLoss)
                and (not loss.use_sigmoid or getattr(head, 'out_channels', None) == 1)
                and loss.class_weight is None
                and loss.loss_weight == 1.0
            )
            if not plain or getattr(head, 'sampler', None) is not None:
                raise ValueError(
                    f'segmentor.{name}: loss_decode and sampler of a head have no effect in an adaptor; remove them '
                    'and set loss_weights of the adaptor (a loss of your own is a few lines in adapt)'
                )


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
