"""Reading of files of original implementations: their weights under the names of mmuda."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmuda.checkpoints.key_maps import rename
from mmuda.checkpoints.reading import UntrustedCheckpoint, read_checkpoint
from mmuda.checkpoints.states import plain_state

from .mxnet_params import is_params, read_params
from .origins import Origin

TRUST = (
    '--trust reads it all the same: that runs whatever code the file contains, with your rights. Use it only if you '
    'know where the file comes from.'
)
HEADS = ('decode_head.', 'auxiliary_head.')


class Original(NamedTuple):
    """Content of a file of an original implementation.

    Attributes:
        weights: Tensors by the names of mmuda.
        left_out: Keys of the file that no segmentor of mmuda has.
    """

    weights: dict[str, Tensor]
    left_out: list[str]

    @property
    def is_starting_point(self) -> bool:
        """Whether it is a ResNet-38 with the classifier of ImageNet and without a decode head."""
        return 'arg:linear1000_weight' in self.left_out and not any(key.startswith(HEADS[0]) for key in self.weights)

    def without_heads(self) -> 'Original':
        """Return the same content without the weights of heads, whose keys are added to ``left_out``."""
        heads = [key for key in self.weights if key.startswith(HEADS)]
        return Original(
            {key: value for key, value in self.weights.items() if key not in heads}, [*self.left_out, *heads]
        )


def read_original(origin: Origin, path: Path, trust: bool) -> Original:
    """Read a file of a code base.

    Args:
        origin: The code base.
        path: The file, of PyTorch or MXNet.
        trust: Whether to allow full unpickling.

    Raises:
        UntrustedCheckpoint: If the file needs full unpickling and ``trust`` is False.
        ParamsError: If the file begins as a file of MXNet but is damaged.
        RuntimeError: If it is not a checkpoint of that code base.
    """
    state, ignored = _state_of_parts(origin, _content(path, trust), path)
    _check_names_of_score_layers(state, path)
    try:
        weights, left_out = rename(state, origin.layout_of(state))
    except ValueError as error:
        raise RuntimeError(f'{path}: {error}') from error
    if not any(key.startswith('backbone.') for key in weights):
        some = ', '.join(list(weights)[:5]) or 'none'
        raise RuntimeError(
            f'{path} has no key of a checkpoint of {origin.method}; it has {some} ...: choose the converter of its '
            'origin'
        )
    return Original(weights, ignored + left_out)


def _content(path: Path, trust: bool) -> Mapping[Any, Any]:
    if is_params(path):
        return {key: torch.from_numpy(np.atleast_1d(value)) for key, value in read_params(path).items()}
    try:
        content = read_checkpoint(path, trust=trust)
    except UntrustedCheckpoint as error:
        raise UntrustedCheckpoint(f'{error} {TRUST}') from None
    if not isinstance(content, Mapping):
        raise RuntimeError(f'{path} holds a {type(content).__name__}, not the weights of a network')
    return content


def _state_of_parts(origin: Origin, content: Mapping[Any, Any], path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Return the state dict of a file, and its left-out keys.

    If the code base stores several state dicts, they are joined, with the names of the parts as prefixes.
    """
    if not origin.parts:
        return plain_state(content, str(path)), []
    missing = [part for part in origin.parts if not isinstance(content.get(part), Mapping)]
    if missing:
        some = ', '.join(map(str, list(content)[:5])) or 'nothing'
        raise RuntimeError(
            f'{path} has no {" and no ".join(missing)}: a checkpoint of {origin.method} is a dict with '
            f'{" and ".join(origin.parts)}; this one has {some}{" ..." if len(content) > 5 else ""}'
        )
    joined = {
        f'{part}.{key}': value for part in origin.parts for key, value in plain_state(content[part], str(path)).items()
    }
    return joined, sorted(str(key) for key in content if key not in origin.parts)


def _check_names_of_score_layers(state: Mapping[str, Tensor], path: Path) -> None:
    """Check that the score layers of ResNet-38, such as ``linear19_weight``, have the number of classes in their names.

    Raises:
        RuntimeError: If one has another number.
    """
    wrong = []
    for key, value in state.items():
        match = re.fullmatch(r'arg:linear([0-9]+)_(weight|bias)', key)
        if match and value.shape[:1] != (int(match[1]),):
            wrong.append(f'{key} {tuple(value.shape)}')
    if wrong:
        raise RuntimeError(
            f'{path}: {", ".join(wrong)} should have as many rows as its name says: the file is damaged or was edited'
        )
