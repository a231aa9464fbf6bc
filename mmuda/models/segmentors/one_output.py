"""Heads with one output for a class and its background: a sigmoid instead of a softmax."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

THRESHOLD = 0.5


def as_two_outputs(head: nn.Module, name: str) -> bool:
    """Let a head with one output z return the two logits (0, z), from here on.

    Their softmax is (1 - sigmoid(z), sigmoid(z)), their cross-entropy is that of the sigmoid and their argmax is
    ``sigmoid(z) > 0.5``: every loss, entropy and pseudo label of two classes is that of one output.

    Args:
        head: Decode head of mmseg.
        name: Its name, for messages.

    Returns:
        Whether it has one output.

    Raises:
        ValueError: If it has one output and another threshold.
    """
    if getattr(head, 'out_channels', None) != 1:
        return False
    if head.threshold != THRESHOLD:
        raise ValueError(
            f'segmentor.{name}: out_channels=1 needs threshold={THRESHOLD} (it is {head.threshold}; mmseg takes 0.3 if '
            'none is given), because methods weigh both classes alike'
        )
    kind: Any = type(head)
    head.__class__ = _with_background(kind)  # a hook would not do: mmseg's predict calls forward itself
    return True


@cache
def _with_background(kind: Any) -> Any:
    """Return a class of heads that puts the logit 0 of the background before that of the foreground."""

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        output = kind.forward(self, *args, **kwargs)
        return torch.cat([torch.zeros_like(output), output], dim=1)

    return type(kind.__name__, (kind,), dict(forward=forward, __doc__=kind.__doc__, __module__=kind.__module__))
