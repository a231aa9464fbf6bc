"""Facts about a network that change what its weights compute, but are not visible in their names and shapes.

A head, or any other part of a segmentor, states its facts with a method ``weights_meta()``. The method returns a dict
of plain values, such as ``{'order': 'rgb'}``. A checkpoint holds them in ``meta``, by fact and by the name of the part:
``meta['order'] == {'decode_head': 'rgb'}``. Loading it into a network with another value is an error.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Protocol, runtime_checkable

from torch import nn

from mmuda.internals import converts_channels
from mmuda.ranks import unwrap

from .states import meta_of


@runtime_checkable
class StatesWeightsMeta(Protocol):
    """Part of a network that states facts about its weights."""

    def weights_meta(self) -> dict[str, Any]:
        """Return the facts as plain values, by the keys that they have in ``meta`` of checkpoints."""


def weights_meta(network: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the channel order, and the facts that the parts of a segmentor (or of an adaptor's segmentor) state.

    Args:
        network: A segmentor or an adaptor; it can be wrapped for distributed training.

    Returns:
        Values by fact and by the name of the part in the segmentor.
    """
    network = unwrap(network)
    facts: dict[str, dict[str, Any]] = {}
    converts = converts_channels(getattr(network, 'data_preprocessor', None))
    if converts is not None:  # images are read as BGR
        facts['channel_order'] = {'data_preprocessor': 'rgb' if converts else 'bgr'}
    for name, part in unwrap(getattr(network, 'segmentor', network)).named_modules():
        if isinstance(part, StatesWeightsMeta):
            for fact, value in part.weights_meta().items():
                facts.setdefault(fact, {})[name] = value
    return facts


def check_weights_meta(network: nn.Module, checkpoint: Any, filename: str) -> None:
    """Compare the facts in a checkpoint with those of the network into which it is loaded.

    Facts that only one of them has are not compared.

    Args:
        network: As in :func:`weights_meta`.
        checkpoint: Content of the file.
        filename: Name of the file, for messages.

    Raises:
        RuntimeError: If a fact differs: the network would silently compute something else.
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


def differing_classes(checkpoint: Any, classes: Sequence[str] | None, filename: str) -> str | None:
    """Compare the class names in a checkpoint with those of data. Predictions would get wrong names if they differ.

    Args:
        checkpoint: Content of the file. A checkpoint without class names is not compared.
        classes: Names of the classes of the data, by train id; None if they are not known.
        filename: Name of the file, for the message.

    Returns:
        A description of the difference, with the remedy; None if there is none.
    """
    meta = meta_of(checkpoint).get('dataset_meta')
    trained = meta.get('classes') if isinstance(meta, Mapping) else None
    if not trained or not classes or list(trained) == list(classes):
        return None
    told = (
        f'the same {len(classes)} classes in another order'
        if sorted(trained) == sorted(classes)
        else f'{len(trained)} classes, the data has {len(classes)}'
    )
    pairs = enumerate(zip_longest(trained, classes))
    first = next(f'{place} is {mine!r}, of the data {other!r}' for place, (mine, other) in pairs if mine != other)
    return (
        f'{filename} was trained for {told} (the first difference: class {first}): set metainfo=dict(classes=...) of '
        'the data sets to those of the checkpoint, or use the config that it was trained with'
    )
