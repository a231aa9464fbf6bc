"""Heads that return more than one map of class logits, or that learn something other than classes."""

from typing import Any

from mmseg.models.decode_heads import PIDHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

CLASS_MAPS: dict[type, int] = {PIDHead: 1}
"""Heads that return several maps in training, and the index of the class logits from which they predict."""


def has_own_loss(head: Any) -> bool:
    """Return whether a head replaces mmseg's usual loss, which compares one map of class logits with the labels.

    Examples are STDC's head for boundaries and PIDNet's head with three maps.
    """
    return isinstance(head, BaseDecodeHead) and type(head).loss_by_feat is not BaseDecodeHead.loss_by_feat


def heads_of(segmentor: Any) -> dict[str, Any]:
    """Return the heads of a network by level.

    ``main``, the decode head, is last. One auxiliary head is ``aux``; several are ``aux_0``, ``aux_1``, ... The dict is
    empty for a network without ``decode_head`` and ``auxiliary_head``.
    """
    auxiliary, main = (getattr(segmentor, name, None) for name in ('auxiliary_head', 'decode_head'))
    heads: dict[str, Any] = {}
    if isinstance(auxiliary, nn.ModuleList):
        heads.update({f'aux_{i}': head for i, head in enumerate(auxiliary)})
    elif auxiliary is not None:
        heads['aux'] = auxiliary
    return heads if main is None else {**heads, 'main': main}


def own_loss_levels(segmentor: Any) -> tuple[str, ...]:
    """Return the levels whose heads have their own kind of loss, see :func:`has_own_loss`."""
    return tuple(level for level, head in heads_of(segmentor).items() if has_own_loss(head))


def class_levels(segmentor: Any) -> tuple[str, ...]:
    """Return the levels that predict classes: ``main``, and all others except those of :func:`own_loss_levels`."""
    own = own_loss_levels(segmentor)
    return tuple(level for level in heads_of(segmentor) if level == 'main' or level not in own)


def class_logits(head: Any, level: str, output: Any) -> Tensor:
    """Return the class logits (N, C, h, w) in the output of a head.

    Args:
        head: The head.
        level: Its level, for the error message.
        output: Its output.

    Raises:
        TypeError: If the output is not one tensor and the type of the head is not in :data:`CLASS_MAPS`.
    """
    if isinstance(output, Tensor):
        return output
    place = next((place for kind, place in CLASS_MAPS.items() if isinstance(head, kind)), None)
    if place is None:
        raise TypeError(
            f'the {level} head, {type(head).__name__}, returns a {type(output).__name__}: adaptation needs heads that '
            f'return one map of logits (N, C, h, w), or one of {", ".join(kind.__name__ for kind in CLASS_MAPS)}'
        )
    return output[place]
