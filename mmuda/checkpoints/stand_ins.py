"""Harmless replacements for the classes of NumPy and mmengine in the checkpoints that mmengine writes.

Our own checkpoints need none of them, see :mod:`mmuda.checkpoints.plain`. ``torch.load(weights_only=True)`` calls
allowed classes and functions with arguments from the file. Those of NumPy are not safe with arbitrary arguments:
``np.ndarray((1,), 'O', bytes)`` takes the bytes for addresses of objects. So these stand-ins are allowed under the
names of the real classes and functions. They check and keep their arguments, and :func:`restore` builds the real
objects.
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
"""Pattern of the dtype codes of arrays that are read: numbers and booleans."""


class _Dtype:
    """Replacement for ``numpy.dtype``: numbers and booleans only."""

    def __init__(self, code: str, *_: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch(DTYPE, code):
            raise UnpicklingError(f'it holds NumPy arrays of dtype {code!r}, expected numbers')
        self.real = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        order, *structure = state[1:5]
        if order not in ('<', '>', '|', '=') or any(part is not None for part in structure):
            raise UnpicklingError(f'it holds NumPy arrays of dtype {state!r}, expected numbers')
        self.real = self.real.newbyteorder(order)


class _Array:
    """Replacement for ``numpy.ndarray``, as ``numpy.core.multiarray._reconstruct`` creates it."""

    real: np.ndarray

    def __init__(self, *args: Any) -> None:
        if args:
            raise UnpicklingError('it calls numpy.ndarray, which no file that mmengine writes does')
        self.real = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, columns_first, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise UnpicklingError(f'it holds an array that is made of {type(data).__name__} of {dtype!r}')
        self.real = np.frombuffer(data, dtype.real).reshape(shape, order='F' if columns_first else 'C').copy()


class _Buffer:
    """Replacement for ``mmengine.logging.HistoryBuffer``."""

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
            raise UnpicklingError(f'it holds a malformed log history ({error})') from None


def _reconstruct(kind: type, shape: tuple, code: bytes) -> _Array:
    """Return an empty array; replacement for ``numpy.core.multiarray._reconstruct``."""
    if kind is not _Array or shape != (0,) or code != b'b':
        raise UnpicklingError(f'it creates an array as {kind!r} of shape {shape!r}')
    return _Array()


def _scalar(dtype: _Dtype, data: bytes) -> np.generic:
    """Return a number of NumPy; replacement for ``numpy.core.multiarray.scalar``."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
        raise UnpicklingError(f'it holds a scalar that is made of {type(data).__name__} of {dtype!r}')
    return np.frombuffer(data, dtype.real, 1)[0]


def _getattr(owner: type, name: str) -> None:
    """Check the names; replacement for ``getattr``. Stored log histories name their methods, which are not needed."""
    if owner is not _Buffer or name not in ('min', 'max', 'mean', 'current'):
        raise UnpicklingError(f'it reads the attribute {name!r} of {owner!r}')


def _named(name: str, thing: Any) -> Any:
    """Give a class or function the name that it has in files, and return it."""
    thing.__module__, _, thing.__qualname__ = name.rpartition('.')
    thing.__name__ = thing.__qualname__  # PyTorch 2.6 looks for __name__
    return thing


def _renamed(name: str, function: Callable) -> Callable:
    """Return a copy of a function with the name that it has in files. NumPy 1 and 2 have different names for it."""
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
    """Make :func:`torch.load` with ``weights_only=True`` use the stand-ins inside a ``with`` block.

    Other classes that were allowed under the same names are put aside meanwhile. The list of allowed classes is shared
    by all threads, so a lock lets only one thread at a time read files.
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
        UnpicklingError: If a log history is malformed, a dict has unknown attributes, which could replace its methods,
            or the content holds a stand-in itself.
    """
    return _restore(content, {})


def _restore(content: Any, seen: dict[int, Any]) -> Any:
    if id(content) in seen:  # an object that occurs twice stays one object
        return seen[id(content)][1]
    if isinstance(content, (dict, list)):
        seen[id(content)] = content, content
        _restore_inside(content, seen)
        return content
    result = _restored(content, seen)
    if result is not content:
        seen[id(content)] = content, result  # the content must stay alive: otherwise another object could get its id
    return result


def _restore_inside(content: dict | list, seen: dict[int, Any]) -> None:
    if isinstance(content, list):
        content[:] = [_restore(value, seen) for value in content]
        return
    # torch.load(weights_only=True) sets any attributes of an OrderedDict that the file names.
    strange = set(getattr(content, '__dict__', ())) - STATE_DICT_ATTRIBUTES
    if strange:
        raise UnpicklingError(f'it sets the attributes {sorted(strange)} of {type(content)}')
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
        vars(content).clear()  # attributes from the file could replace its methods
    elif any(content is thing for thing in STAND_INS):
        raise UnpicklingError(f'it holds {safe_name(content)!r} itself')
    return content
