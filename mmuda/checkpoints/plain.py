"""Our own checkpoints: tensors and plain values only, so that reading them needs no class of another package.

``torch.load(weights_only=True)`` reads them directly. mmengine alone would also store NumPy arrays and its own objects
(:class:`mmengine.logging.HistoryBuffer`), which need the replacements in :mod:`mmuda.checkpoints.stand_ins`.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from mmuda.files import save_torch
from mmuda.internals import STATE_DICT_ATTRIBUTES, history_state, make_history

PLAIN = (type(None), bool, int, float, complex, str, torch.Size, torch.dtype, torch.device)
"""Types of values that are kept as they are. Tensors are kept, too, and lists, tuples, sets and dicts of all these."""


def write_checkpoint(path: str | Path, content: dict) -> None:
    """Write a checkpoint of tensors and plain values atomically.

    Args:
        path: File to write or replace.
        content: Content of the checkpoint; :func:`to_plain` converts it first.

    Raises:
        TypeError: If a value in it has no plain form.
    """
    save_torch(path, to_plain(content))


def to_plain(content: Any, where: str = 'checkpoint') -> Any:
    """Return a copy of the content of a checkpoint that holds tensors and plain values only.

    NumPy arrays and bytes become tensors, NumPy's numbers become Python's, log histories become dicts (see
    :func:`restore_histories`), and paths become text. Subclasses of dict, list, tuple, str, int and float become the
    class from which they are derived; OrderedDicts are kept. Tensors are not copied. An object that occurs twice stays
    one object.

    Args:
        content: Any nesting of such values.
        where: Name of the content in messages.

    Raises:
        TypeError: If a value has another type. The message names its place.
    """
    return _plain(content, where, {})


def _plain(value: Any, where: str, seen: dict[int, tuple[Any, Any]]) -> Any:
    if type(value) in PLAIN:
        return value
    if id(value) not in seen:
        if isinstance(value, dict):
            return _plain_dict(value, where, seen)
        if isinstance(value, (list, tuple, set, frozenset)):
            result = _plain_items(value, where, seen)
        else:
            result = _plain_leaf(value, where)
        seen[id(value)] = value, result  # the value must stay alive: otherwise another object could get its id
    return seen[id(value)][1]


def _plain_dict(value: dict, where: str, seen: dict[int, tuple[Any, Any]]) -> dict:
    result: dict = OrderedDict() if isinstance(value, OrderedDict) else {}
    seen[id(value)] = value, result
    for key, item in value.items():
        result[_plain(key, f'key {key!r} of {where}', seen)] = _plain(item, f'{where}[{key!r}]', seen)
    for name in STATE_DICT_ATTRIBUTES & set(getattr(value, '__dict__', ())):
        setattr(result, name, _plain(getattr(value, name), f'{where}.{name}', seen))
    return result


def _plain_items(value: Any, where: str, seen: dict[int, tuple[Any, Any]]) -> list | tuple | set:
    kind = next(kind for kind in (list, tuple, set, frozenset) if isinstance(value, kind))
    items = [_plain(item, f'{where}[{place}]', seen) for place, item in enumerate(value)]
    return items if kind is list else tuple(items) if kind is tuple else set(items)


def _plain_leaf(value: Any, where: str) -> Any:
    for kind, convert in LEAVES:
        if isinstance(value, kind):
            try:
                result = convert(value)
            except (TypeError, ValueError):
                break
            if isinstance(result, (Tensor, dict)) or type(result) in PLAIN:
                return result
    name = f'{type(value).__module__}.{type(value).__qualname__}'
    raise TypeError(
        f'{where} is a {name}{f" of {value.dtype}" if isinstance(value, np.ndarray) else ""}: checkpoints hold tensors '
        'and plain values (numbers, text, lists, dicts) only, so that reading them runs no code. Convert it in the '
        'hook, or in the entry of the message hub, that it comes from'
    )


def _plain_tensor(value: Tensor) -> Tensor:
    """Return a tensor or parameter as one of PyTorch's own classes and without extra attributes."""
    if type(value) in (Tensor, nn.Parameter) and not vars(value):
        return value
    return value.detach().as_subclass(Tensor)


def _plain_array(value: np.ndarray) -> Tensor:
    return torch.from_numpy(value.astype(value.dtype.newbyteorder('='), order='C', copy=True))


def _plain_history(value: HistoryBuffer) -> dict[str, Any]:
    log, count, max_length = history_state(value)
    return dict(log=_plain_array(log), count=_plain_array(count), max_length=int(max_length))


LEAVES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (Tensor, _plain_tensor),
    (np.ndarray, _plain_array),
    (np.generic, np.generic.item),
    (HistoryBuffer, _plain_history),
    (PurePath, str),
    (bytes, lambda value: torch.tensor(list(value), dtype=torch.uint8)),  # PyTorch does not read empty bytes
    (str, str.__str__),  # str() of a member of an enumeration would return its name
    (int, int),
    (float, float),
)
"""Conversions of other values to plain values, by type. The first type that fits is used."""


def restore_histories(checkpoint: dict, filename: str) -> None:
    """Replace plain log histories by those of mmengine, in place, so that training can resume from a checkpoint.

    A plain history is a dict of ``log`` (n,), ``count`` (n,) and ``max_length`` in ``message_hub.log_scalars``. Files
    of mmengine, and of earlier versions of mmuda, hold mmengine's own histories, which are not changed.

    Args:
        checkpoint: Content of the file.
        filename: Name of the file, for messages.

    Raises:
        RuntimeError: If a history is damaged.
    """
    hub = checkpoint.get('message_hub')
    scalars = hub.get('log_scalars') if isinstance(hub, Mapping) else None
    if not isinstance(scalars, dict):
        return
    for name, value in scalars.items():
        if isinstance(value, Mapping):
            try:
                scalars[name] = history(value['log'].numpy(), value['count'].numpy(), value['max_length'])
            except (KeyError, AttributeError, TypeError, ValueError) as error:
                raise RuntimeError(
                    f'{filename} has a damaged log history {name!r} ({error}): resume from another checkpoint, or '
                    'start a new training from its weights with load_from'
                ) from error


def history(log: np.ndarray, count: np.ndarray, max_length: int) -> HistoryBuffer:
    """Return a log history of mmengine.

    Args:
        log: (n,) values.
        count: (n,) number of iterations that each value covers.
        max_length: Greatest number of values that the history keeps.

    Raises:
        ValueError: If an argument is malformed, or the arrays differ in length.
    """
    arrays = [part for part in (log, count) if isinstance(part, np.ndarray) and part.ndim == 1]
    if len(arrays) < 2 or len(log) != len(count) or type(max_length) is not int or max_length < 1:
        raise ValueError('expected two lists of numbers of the same length, and a maximum length above 0')
    return make_history(log, count, max_length)
