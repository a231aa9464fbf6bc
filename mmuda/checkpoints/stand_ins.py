"""What mmengine's checkpoints hold besides tensors and plain values, read through stand-ins that cannot do anything.

PyTorch's reader of weights calls whatever it is allowed to call with arguments out of the file. NumPy's own types are
not made for arguments of strangers: ``np.ndarray((1,), 'O', bytes)`` makes objects out of numbers. So files meet these
stand-ins under the names of the real things; they note what they are given, and :func:`restore` makes the real things
of what is sound.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

DTYPE = r'[biuf](1|2|4|8)'


class _Dtype:
    """``numpy.dtype``: numbers only."""

    def __init__(self, code: str, *_) -> None:
        if not isinstance(code, str) or not re.fullmatch(DTYPE, code):
            raise UnpicklingError(f'it asks for arrays of {code!r} of numpy')
        self.real = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        order, *structure = state[1:5]
        if order not in ('<', '>', '|', '=') or any(part is not None for part in structure):
            raise UnpicklingError(f'it asks for arrays of {state!r} of numpy')
        self.real = self.real.newbyteorder(order)


class _Array:
    """``numpy.ndarray``, as its ``_reconstruct`` begins it."""

    real: np.ndarray

    def __init__(self, *args) -> None:
        if args:
            raise UnpicklingError('it calls numpy.ndarray, which only files that were made to do so do')
        self.real = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, columns_first, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise UnpicklingError(f'it asks for an array that is made of {type(data).__name__} of {dtype!r}')
        self.real = np.frombuffer(data, dtype.real).reshape(shape, order='F' if columns_first else 'C').copy()


class _Buffer:
    """``mmengine.logging.HistoryBuffer``."""

    def __init__(self) -> None:
        self.state: dict = {}

    def __setstate__(self, state: dict) -> None:
        self.state = state

    def restore(self) -> HistoryBuffer:
        log, count = (restore(self.state[name]) for name in ('_log_history', '_count_history'))
        if not all(isinstance(part, np.ndarray) and part.ndim == 1 for part in (log, count)):
            raise UnpicklingError('it asks for a history of other things than numbers of HistoryBuffer')
        return HistoryBuffer(log, count, int(self.state['max_length']))


def _begun(kind: type, shape: tuple, code: bytes) -> _Array:
    """``numpy.core.multiarray._reconstruct``."""
    if kind is not _Array or shape != (0,) or code != b'b':
        raise UnpicklingError(f'it asks for an array that begins as {kind!r} of {shape!r}')
    return _Array()


def _scalar(dtype: _Dtype, data: bytes) -> np.generic:
    """``numpy.core.multiarray.scalar``."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
        raise UnpicklingError(f'it asks for a scalar that is made of {type(data).__name__} of {dtype!r}')
    return np.frombuffer(data, dtype.real, 1)[0]


def _getattr(owner: type, name: str) -> None:
    """``getattr``: log buffers name their own statistics, which every log buffer has anyway."""
    if owner is not _Buffer or name not in ('min', 'max', 'mean', 'current'):
        raise UnpicklingError(f'it asks for {name!r} of {owner!r}')


def _under(name: str, thing: Any) -> Any:
    """The stand-in under the name that files know, as every version of PyTorch finds it."""
    thing.__module__, _, thing.__qualname__ = name.rpartition('.')
    return thing


def _reconstruct(core: str) -> Any:
    return _under(f'numpy.{core}.multiarray._reconstruct', lambda kind, shape, code: _begun(kind, shape, code))


def _scalar_of(core: str) -> Any:
    return _under(f'numpy.{core}.multiarray.scalar', lambda dtype, data: _scalar(dtype, data))


STAND_INS: list[Any] = [
    _under('numpy.dtype', _Dtype),
    _under('numpy.ndarray', _Array),
    _under('builtins.getattr', _getattr),
    _under('mmengine.logging.history_buffer.HistoryBuffer', _Buffer),
    _under('builtins.bytes', lambda: b''),  # how empty ones are written
    *(make(core) for core in ('core', '_core') for make in (_reconstruct, _scalar_of)),  # NumPy 1 and 2
]


_LOCK, _DEPTH = threading.RLock(), [0]


@contextmanager
def stand_ins() -> Iterator[None]:
    """Let :func:`torch.load` with ``weights_only=True`` use the stand-ins, whatever was allowed under their names.

    What is allowed is PyTorch's, and one for all threads: files are read one after the other.
    """
    serialization = torch.serialization
    with _LOCK:
        if _DEPTH[0]:
            yield
            return
        ours = {_name(thing) for thing in STAND_INS}
        before = serialization.get_safe_globals()
        displaced = [thing for thing in before if _name(thing) in ours]
        if displaced:
            serialization.clear_safe_globals()
            serialization.add_safe_globals([thing for thing in before if thing not in displaced])
        _DEPTH[0] += 1
        try:
            with serialization.safe_globals(STAND_INS):
                yield
        finally:
            _DEPTH[0] -= 1
            serialization.add_safe_globals(displaced)


def _name(thing: Any) -> str:
    return thing[1] if isinstance(thing, tuple) else f'{thing.__module__}.{thing.__qualname__}'


def restore(content: Any) -> Any:
    """Replace stand-ins in the content of a file by real arrays, types and log buffers, in place where that can be.

    Raises:
        UnpicklingError: If a stand-in was given what cannot be, or something has attributes that would stand for its
            methods.
    """
    return _restore(content, {})


def _restore(content: Any, seen: dict[int, Any]) -> Any:
    if id(content) in seen:  # the same thing twice stays one thing
        return seen[id(content)][1]
    if isinstance(content, (_Array, _Dtype)):
        return content.real
    if isinstance(content, _Buffer):
        result = content.restore()
    elif isinstance(content, dict):
        # The reader of weights fills in whatever attributes a file gives to an OrderedDict.
        if set(getattr(content, '__dict__', ())) - {'_metadata'}:
            raise UnpicklingError(f'it asks for attributes {sorted(vars(content))} of {type(content)}')
        seen[id(content)] = content, content
        for key, value in dict.items(content):
            dict.__setitem__(content, key, _restore(value, seen))
        return content
    elif type(content) is list:
        seen[id(content)] = content, content
        content[:] = [_restore(value, seen) for value in content]
        return content
    elif type(content) is tuple:
        result = tuple(_restore(value, seen) for value in content)
    elif isinstance(content, torch.Tensor):
        vars(content).clear()  # likewise
        return content
    elif any(content is thing for thing in STAND_INS):
        raise UnpicklingError(f'it asks for {_name(content)!r} of itself')
    else:
        return content
    seen[id(content)] = content, result  # kept, or its id would be another's
    return result
