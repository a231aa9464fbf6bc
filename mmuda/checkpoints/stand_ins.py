"""Harmless replacements for the classes of NumPy and mmengine in the checkpoints that mmengine writes.

Our own checkpoints need none of them, see :mod:`mmuda.checkpoints.plain`. PyTorch's reader of weights calls the classes
and functions that it is allowed to call with arguments from the file. Those of NumPy are not made for arguments of
strangers: ``np.ndarray((1,), 'O', bytes)`` makes objects out of numbers. So the reader is given these stand-ins under
the names of the real ones. They only keep what they receive; :func:`restore` checks it and builds the real objects.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmuda.internals import HISTORY_STATE, STATE_DICT_ATTRIBUTES, safe_name

from .plain import history

DTYPE = r'[biuf](1|2|4|8)'
"""Codes of the types of arrays that are read: numbers and booleans."""


class _Dtype:
    """Stands for ``numpy.dtype``: numbers only."""

    def __init__(self, code: str, *_: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch(DTYPE, code):
            raise UnpicklingError(f'it asks for arrays of {code!r} of numpy')
        self.real = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        order, *structure = state[1:5]
        if order not in ('<', '>', '|', '=') or any(part is not None for part in structure):
            raise UnpicklingError(f'it asks for arrays of {state!r} of numpy')
        self.real = self.real.newbyteorder(order)


class _Array:
    """Stands for ``numpy.ndarray``, as its ``_reconstruct`` begins it."""

    real: np.ndarray

    def __init__(self, *args: Any) -> None:
        if args:
            raise UnpicklingError('it calls numpy.ndarray, which only files that were made to do so do')
        self.real = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, columns_first, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise UnpicklingError(f'it asks for an array that is made of {type(data).__name__} of {dtype!r}')
        self.real = np.frombuffer(data, dtype.real).reshape(shape, order='F' if columns_first else 'C').copy()


class _Buffer:
    """Stands for ``mmengine.logging.HistoryBuffer``."""

    def __init__(self) -> None:
        self.state: dict = {}

    def __setstate__(self, state: dict) -> None:
        self.state = state

    def restore(self) -> HistoryBuffer:
        """Return the log history that was stored."""
        log, count, max_length = (restore(self.state[name]) for name in HISTORY_STATE)
        try:
            return history(log, count, max_length)
        except ValueError as error:
            raise UnpicklingError(f'it asks for a history of other things than numbers ({error})') from None


def _reconstruct(kind: type, shape: tuple, code: bytes) -> _Array:
    """Stands for ``numpy.core.multiarray._reconstruct``."""
    if kind is not _Array or shape != (0,) or code != b'b':
        raise UnpicklingError(f'it asks for an array that begins as {kind!r} of {shape!r}')
    return _Array()


def _scalar(dtype: _Dtype, data: bytes) -> np.generic:
    """Stands for ``numpy.core.multiarray.scalar``."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
        raise UnpicklingError(f'it asks for a scalar that is made of {type(data).__name__} of {dtype!r}')
    return np.frombuffer(data, dtype.real, 1)[0]


def _getattr(owner: type, name: str) -> None:
    """Stands for ``getattr``: log histories name their own statistics, which every log history has anyway."""
    if owner is not _Buffer or name not in ('min', 'max', 'mean', 'current'):
        raise UnpicklingError(f'it asks for {name!r} of {owner!r}')


def _named(name: str, thing: Any) -> Any:
    """Return a class or function under the name by which files find it."""
    thing.__module__, _, thing.__qualname__ = name.rpartition('.')
    thing.__name__ = thing.__qualname__  # PyTorch 2.6 finds it by this one
    return thing


def _renamed(name: str, function: Callable) -> Callable:
    """Return a copy of a function under the name by which files find it: NumPy 1 and 2 have two names for one."""
    return _named(name, lambda *args: function(*args))


STAND_INS: list[Any] = [
    _named('numpy.dtype', _Dtype),
    _named('numpy.ndarray', _Array),
    _named('builtins.getattr', _getattr),
    _named('mmengine.logging.history_buffer.HistoryBuffer', _Buffer),
    _named('builtins.bytes', lambda: b''),  # the data of an empty array
    *(_renamed(f'numpy.{core}.multiarray._reconstruct', _reconstruct) for core in ('core', '_core')),
    *(_renamed(f'numpy.{core}.multiarray.scalar', _scalar) for core in ('core', '_core')),
]

_LOCK, _DEPTH = threading.RLock(), [0]


@contextmanager
def stand_ins() -> Iterator[None]:
    """Let :func:`torch.load` with ``weights_only=True`` use the stand-ins, whatever was allowed under their names.

    The list of what is allowed is one for all threads: files are read one after the other.
    """
    with _LOCK:
        if _DEPTH[0]:
            yield
            return
        _DEPTH[0] += 1
        try:
            with _allowed_instead():
                yield
        finally:
            _DEPTH[0] -= 1


@contextmanager
def _allowed_instead() -> Iterator[None]:
    serialization, names = torch.serialization, {safe_name(thing) for thing in STAND_INS}
    before = serialization.get_safe_globals()
    displaced = [thing for thing in before if safe_name(thing) in names]
    if displaced:
        serialization.clear_safe_globals()
        serialization.add_safe_globals([thing for thing in before if thing not in displaced])
    try:
        with serialization.safe_globals(STAND_INS):
            yield
    finally:
        serialization.add_safe_globals(displaced)


def restore(content: Any) -> Any:
    """Replace stand-ins in the content of a file by real arrays, types and log histories, in place where possible.

    Raises:
        UnpicklingError: If a stand-in was given what cannot be, or something has attributes that would stand for its
            methods.
    """
    return _restore(content, {})


def _restore(content: Any, seen: dict[int, Any]) -> Any:
    if id(content) in seen:  # an object that is held twice stays one object
        return seen[id(content)][1]
    if isinstance(content, (dict, list)):
        seen[id(content)] = content, content
        _restore_inside(content, seen)
        return content
    result = _restored(content, seen)
    if result is not content:
        seen[id(content)] = content, result  # the content is kept, or another object would get its id
    return result


def _restore_inside(content: dict | list, seen: dict[int, Any]) -> None:
    if isinstance(content, list):
        content[:] = [_restore(value, seen) for value in content]
        return
    # The reader of weights gives an OrderedDict whatever attributes a file names.
    strange = set(getattr(content, '__dict__', ())) - STATE_DICT_ATTRIBUTES
    if strange:
        raise UnpicklingError(f'it asks for attributes {sorted(strange)} of {type(content)}')
    for key, value in dict.items(content):
        dict.__setitem__(content, key, _restore(value, seen))


def _restored(content: Any, seen: dict[int, Any]) -> Any:
    if isinstance(content, (_Array, _Dtype)):
        return content.real
    if isinstance(content, _Buffer):
        return content.restore()
    if type(content) is tuple:
        return tuple(_restore(value, seen) for value in content)
    if isinstance(content, torch.Tensor):
        vars(content).clear()  # attributes that would stand for its methods
    elif any(content is thing for thing in STAND_INS):
        raise UnpicklingError(f'it asks for {safe_name(content)!r} of itself')
    return content
