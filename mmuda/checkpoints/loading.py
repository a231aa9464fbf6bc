"""Loading of the weights of a checkpoint into a model: all of them fit, or the error lists the differences."""

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel
from mmengine.runner.checkpoint import load_state_dict as load_state_dict_through_wrappers
from torch import Tensor, nn

from mmuda.ranks import unwrap

from .states import check_finite_weights, meta_of, plain_state, weight_problems, with_counters
from .weights_meta import check_weights_meta

SEGMENTOR = 'segmentor'
"""The child of an adaptor (a network in one of its attributes) into which a plain checkpoint of mmseg is loaded."""

_CHOSEN = 'chosen_network'
"""Key of the name of the child whose weights :func:`network_of` has put under the names of a plain segmentor."""


def load_weights(model: nn.Module, checkpoint: Any, filename: str, strict: bool = False) -> list[str]:
    """Load the weights of a checkpoint into a model, or raise an error that lists all differences.

    A plain checkpoint of mmseg is loaded into an adaptor's ``segmentor``. Of an adaptor's checkpoint, a plain segmentor
    gets the weights of the ``segmentor``. Each direct child that both checkpoint and model have must match in all keys
    and shapes. Without ``strict``, children that only one of them has are left out; their names are logged and
    returned. The log says how a child starts that the checkpoint does not have: as its attribute ``without_weights``
    says, such as ``'starts as a copy of the segmentor'``, or else with its initial values.

    Args:
        model: An adaptor without wrapper (its children can be wrapped) or a plain segmentor.
        checkpoint: Content of the file, from :func:`read_checkpoint`.
        filename: Name of the file, for messages.
        strict: Whether all children must match, as for resuming.

    Returns:
        Names of the children that were left out.

    Raises:
        RuntimeError: If a key is missing, unexpected, or of another shape or type: with all such keys. Also if the file
            holds no weights, or weights of a network that computes something else
            (:mod:`mmuda.checkpoints.weights_meta`).
        FloatingPointError: If weights are NaN or infinite.
    """
    if isinstance(model, BaseTTAModel):
        model = model.module
    full, left_out = fit_weights(model, plain_state(checkpoint, filename), filename, strict)
    check_weights_meta(model, checkpoint, filename)
    for line in _told(model, checkpoint, left_out):
        print_log(f'{filename}: {line}', logger='current')
    load_state_dict_through_wrappers(model, full, strict=True)
    return left_out


def _told(model: nn.Module, checkpoint: Mapping[str, Any], left_out: Sequence[str]) -> Iterator[str]:
    """Yield lines about the children that only the checkpoint or only the model has."""
    chosen = checkpoint.get(_CHOSEN)
    if isinstance(chosen, str):
        yield f'its {chosen} is used as the {SEGMENTOR}'
        return
    surplus = [name for name in left_out if not hasattr(model, name)]
    if surplus:
        yield f'left out {", ".join(surplus)}, which this {type(model).__name__} does not have'
    for name in left_out:
        if name not in surplus:
            start = getattr(unwrap(getattr(model, name)), 'without_weights', 'keeps its initial values')
            yield f'has no {name}, so it {start}'


def fit_weights(
    model: nn.Module, weights: dict[str, Tensor], filename: str, strict: bool = False
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the weights that a model has after loading, and the names of the children that are left out.

    Weights that the checkpoint does not hold are those of the model.

    Args:
        model: As in :func:`load_weights`.
        weights: Plain tensors, by the names of an adaptor or of a plain segmentor.
        filename: Name of the file, for messages.
        strict: As in :func:`load_weights`.

    Raises:
        RuntimeError: If a key is missing, unexpected, or of another shape or type.
        FloatingPointError: If weights are NaN or infinite.
    """
    expected = model.state_dict()
    weights = _under_names_of(model, weights)
    left_out = [] if strict else _left_out(model, expected, weights)
    wanted, given = _without(expected, left_out), _without(weights, left_out)
    if not strict:
        given = with_counters(given, wanted)
    _check_fit(model, wanted, given, filename)
    check_finite_weights(given, filename)
    return {key: given.get(key, value) for key, value in expected.items()}, left_out


def network_of(checkpoint: Any, child: str, filename: str) -> Any:
    """Return a plain checkpoint of mmseg that holds one network of an adaptor.

    Args:
        checkpoint: Content of the file of an adaptor, from :func:`read_checkpoint`.
        child: ``'segmentor'`` returns the checkpoint as it is. Another child that holds a segmentor, such as
            ``'teacher'``, returns the weights below ``<child>.segmentor.``.
        filename: Name of the file, for messages.

    Raises:
        RuntimeError: If the file holds no such network.
    """
    if child == SEGMENTOR:
        return checkpoint
    weights = plain_state(checkpoint, filename)
    prefix = f'{child}.{SEGMENTOR}.'
    found = {key[len(prefix) :]: value for key, value in weights.items() if key.startswith(prefix)}
    if not found:
        networks = {_child(key) for key in weights if key.split('.')[1:2] == [SEGMENTOR]} | {SEGMENTOR}
        raise RuntimeError(f'{filename} holds no network {child!r}, but {", ".join(sorted(networks))}')
    return {'meta': dict(meta_of(checkpoint)), 'state_dict': found, _CHOSEN: child}


def _under_names_of(model: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of an adaptor or a segmentor under the names of the model."""
    prefix = f'{SEGMENTOR}.'
    of_adaptor = any(key.startswith(prefix) for key in weights)
    if hasattr(model, SEGMENTOR) and not of_adaptor:
        return {prefix + key: value for key, value in weights.items()}
    if not hasattr(model, SEGMENTOR) and of_adaptor:
        return {key[len(prefix) :]: value for key, value in weights.items() if key.startswith(prefix)}
    return weights


def _left_out(model: nn.Module, expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> list[str]:
    """Return the children of an adaptor that only the model or only the checkpoint has."""
    if not hasattr(model, SEGMENTOR):
        return []
    return sorted(({_child(key) for key in expected} ^ {_child(key) for key in weights}) - {SEGMENTOR})


def _child(key: str) -> str:
    return key.split('.', 1)[0]


def _without(state: Mapping[str, Tensor], children: Container[str]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if _child(key) not in children}


def _check_fit(model: nn.Module, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], filename: str) -> None:
    problems = weight_problems(wanted, given)
    if problems:
        raise RuntimeError(
            f'{filename} does not fit {type(model).__name__}:\n{problems}\n'
            'Use the config that the checkpoint was trained with (number of classes, levels, backbone).'
        )


def weights_digest(checkpoint: Any, filename: str) -> str:
    """Return the SHA-256 of the weights in a checkpoint: names, types, shapes, values. Other content does not count.

    Args:
        checkpoint: Content of the file, from :func:`read_checkpoint`.
        filename: Name of the file, for messages.
    """
    digest = hashlib.sha256()
    for name, value in sorted(plain_state(checkpoint, filename).items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)};'.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
