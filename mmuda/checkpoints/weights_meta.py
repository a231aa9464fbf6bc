"""Facts about a network that decide what its weights compute, but that their names and shapes do not tell.

A head, or any other part of a segmentor, states them by a method ``weights_meta()`` that returns a dict of plain
values, such as ``{'order': 'rgb'}``. A checkpoint holds them in ``meta``, by fact and by the name of the part:
``meta['order'] == {'decode_head': 'rgb'}``. Loading it into a network that states something else is an error.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import nn

from mmuda.ranks import unwrap

from .states import meta_of


@runtime_checkable
class StatesWeightsMeta(Protocol):
    """A part of a network that states facts about its weights."""

    def weights_meta(self) -> dict[str, Any]:
        """Return the facts, by names that are keys of ``meta`` in checkpoints; values are plain."""


def weights_meta(network: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the facts that the parts of a segmentor, or of an adaptor's segmentor, state.

    Args:
        network: May be wrapped for distributed training.

    Returns:
        Values by fact and by the name of the part in the segmentor.
    """
    network = unwrap(network)
    facts: dict[str, dict[str, Any]] = {}
    for name, part in unwrap(getattr(network, 'segmentor', network)).named_modules():
        if isinstance(part, StatesWeightsMeta):
            for fact, value in part.weights_meta().items():
                facts.setdefault(fact, {})[name] = value
    return facts


def check_weights_meta(network: nn.Module, checkpoint: Any, filename: str) -> None:
    """Compare what a checkpoint says about its weights with the network that is to be given them.

    Only facts that both state are compared.

    Args:
        network: As in :func:`weights_meta`.
        checkpoint: Content of the file.
        filename: For messages.

    Raises:
        RuntimeError: If they differ: the network would compute something else, without a word.
    """
    meta = meta_of(checkpoint)
    for fact, parts in weights_meta(network).items():
        trained = meta.get(fact)
        trained = trained if isinstance(trained, Mapping) else {}
        for part in set(parts) & set(trained):
            if trained[part] != parts[part]:
                method = f' ({meta["method"]})' if 'method' in meta else ''
                raise RuntimeError(
                    f'{filename} comes from a network whose {part} has {fact} {trained[part]}, but that of this config '
                    f'has {parts[part]}: use a config of its method{method}, or give {part} the same settings'
                )
