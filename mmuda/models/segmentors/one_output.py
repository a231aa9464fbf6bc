"""Heads with one output for two classes, foreground and background: a sigmoid instead of a softmax."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

THRESHOLD = 0.5


def as_two_outputs(head: nn.Module, name: str) -> bool:
    """Change a head with one output z, in place, so that it returns the two logits (0, z).

    Their softmax is (1 - sigmoid(z), sigmoid(z)), their cross-entropy is that of the sigmoid, and their argmax is
    ``sigmoid(z) > 0.5``. Losses, entropies and pseudo labels for two classes are therefore correct for one output.

    Args:
        head: Decode head of mmseg.
        name: Its name in the config, for error messages.

    Returns:
        Whether the head has one output. If not, it is unchanged.

    Raises:
        ValueError: If the head has one output and a threshold other than 0.5.
    """
    if getattr(head, 'out_channels', None) != 1:
        return False
    if head.threshold != THRESHOLD:
        raise ValueError(
            f'segmentor.{name}: out_channels=1 needs threshold={THRESHOLD}, but the threshold is {head.threshold} '
            "(mmseg's default is 0.3): set it in the config, because methods treat both classes alike"
        )
    kind: Any = type(head)
    head.__class__ = _with_background(kind)  # not a forward hook, which mmseg's predict would skip: it calls forward
    return True


@cache
def _with_background(kind: Any) -> Any:
    """Return a subclass of a head that returns the background's logit, 0, and then the foreground's."""

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        output = kind.forward(self, *args, **kwargs)
        return torch.cat([torch.zeros_like(output), output], dim=1)

    return type(kind.__name__, (kind,), dict(forward=forward, __doc__=kind.__doc__, __module__=kind.__module__))
