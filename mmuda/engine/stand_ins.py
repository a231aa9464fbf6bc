"""What mmengine's checkpoints hold besides tensors and plain values, read through stand-ins that cannot do anything.

PyTorch's reader of weights calls whatever it is allowed to call with arguments out of the file. NumPy's own types are not made
for arguments of strangers: ``np.ndarray((1,), 'O', bytes)`` makes objects out of numbers. So files meet these stand-ins under the
names of the real things; they note what they are given, and :func:`restore` makes the real things of what is sound.
"""
import re
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any, Iterator, List, Tuple

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

    def __setstate__(self, state: Tuple) -> None:
        order, *structure = state[1:5]
        if order not in ('<', '>', '|', '=') or any(part is not None for part in structure):
            raise UnpicklingError(f'it asks for arrays of {state!r} of numpy')
        self.real = self.real.newbyteorder(order)


class _Array:
    """``numpy.ndarray``, as its ``_reconstruct`` begins it."""
    real: np.ndarray

    def __init__(self, *_) -> None:
        self.real = np.empty(0)

    def __setstate__(self, state: Tuple) -> None:
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
    return _under(f'numpy.{core}.multiarray._reconstruct', lambda *_: _Array())


def _scalar_of(core: str) -> Any:
    return _under(f'numpy.{core}.multiarray.scalar', lambda dtype, data: _scalar(dtype, data))


STAND_INS: List[Any] = [
    _under('numpy.dtype', _Dtype), _under('numpy.ndarray', _Array), _under('builtins.getattr', _getattr),
    _under('mmengine.logging.history_buffer.HistoryBuffer', _Buffer),
    _under('builtins.bytes', lambda: b''),  # how empty ones are written
    *(make(core) for core in ('core', '_core') for make in (_reconstruct, _scalar_of))  # NumPy 1 and 2
]


@contextmanager
def stand_ins() -> Iterator[None]:
    """Let :func:`torch.load` with ``weights_only=True`` meet the stand-ins, whatever else was allowed under their names."""
    serialization = torch.serialization
    before = serialization.get_safe_globals()
    ours = {_name(thing) for thing in STAND_INS}
    serialization.clear_safe_globals()
    serialization.add_safe_globals([*(thing for thing in before if _name(thing) not in ours), *STAND_INS])
    try:
        yield
    finally:
        serialization.clear_safe_globals()
        serialization.add_safe_globals(before)


def _name(thing: Any) -> str:
    return thing[1] if isinstance(thing, tuple) else f'{thing.__module__}.{thing.__qualname__}'


def restore(content: Any) -> Any:
    """The content of a file with real arrays and log buffers for their stand-ins.

    Raises:
        UnpicklingError: If a stand-in was given what cannot be.
    """
    if isinstance(content, _Array):
        return content.real
    if isinstance(content, _Buffer):
        return content.restore()
    if type(content) in (list, tuple):
        return type(content)(restore(value) for value in content)
    if isinstance(content, dict):
        for key, value in content.items():
            content[key] = restore(value)
    return content
