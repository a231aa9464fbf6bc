"""A search for operations that would make the host wait for a GPU, on a machine without a GPU."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import mmuda
from mmuda.models.adaptors import BaseAdaptor

PACKAGES = (Path(mmuda.__file__).parent, Path(mmuda.__file__).parents[1] / 'projects')
WAITING = {
    *('_local_scalar_dense', 'item', 'is_nonzero', 'equal', 'nonzero', 'argwhere', 'masked_select', 'bincount'),
    *('unique_dim', '_unique', '_unique2', 'unique_consecutive', 'repeat_interleave', 'histc'),
}
"""Operators whose result is a Python number, or has a size that depends on values. CUDA copies these to the host."""
READING = ('cpu', 'numpy', 'tolist', '__array__')
"""Methods of tensors that copy values to the host without such an operator."""
MAKING = ('tensor', 'as_tensor', 'new_tensor')
"""Functions that copy Python numbers to a device. The copy waits for all earlier work of the device."""
KNOWN = {'find_regions': 'SIM: connected components are found on the host, by SciPy, from the classes of a small map'}
"""Functions that have to wait in every iteration, with the reason."""
KNOWN_ONCE = {'read': 'the counter of a teacher is read from its checkpoint, before the first iteration'}
"""Functions that wait in the first iteration only, with the reason."""


class OnDevice(TorchDispatchMode):
    """The tensors that would be on a GPU, and the places where the host reads one of them.

    These are the parameters, the buffers, the batch and everything computed from them. Random numbers drawn on the host
    and counters of optimizers would not be on the GPU.

    Attributes:
        found: Two texts for each read: the innermost function of mmuda, and ``'file.py:line function: operator'``.
    """

    def __init__(self, tensors: list[Tensor]) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._storages: set[StorageWeakRef] = set()
        self.put(tensors)

    def put(self, tensors: list[Tensor]) -> None:
        """Mark tensors as being on the device."""
        self._storages.update(StorageWeakRef(one.untyped_storage()) for one in tensors)

    def has(self, tensors: list[Tensor]) -> bool:
        """Return whether one of the tensors would be on the device."""
        return any(StorageWeakRef(one.untyped_storage()) in self._storages for one in tensors)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.has(_tensors((args, kwargs))):
            self.put(_tensors(result))
            name = func.overloadpacket.__name__
            # With `output_size`, `repeat_interleave` does not count on the host.
            sized = name == 'repeat_interleave' and (kwargs or {}).get('output_size') is not None
            if name in WAITING and not sized or name.startswith('index') and _counts_a_mask(*args[1:3]):
                self.note(name)
        return result

    def note(self, name: str) -> None:
        """Record the place where an operator was called."""
        for frame in reversed(traceback.extract_stack()):
            if any(Path(frame.filename).is_relative_to(folder) for folder in PACKAGES):
                place = f'{Path(frame.filename).name}:{frame.lineno} {frame.name}: {name}'
                self.found.append((frame.name, place))
                return
        self.found.append(('', f'outside of mmuda: {name}'))


class Uploads(TorchFunctionMode):
    """A record of places where the host copies numbers to the device and waits. Operators on a CPU do not show them.

    They are lists that become tensors on the device, lists as indices, and host tensors copied by ``to`` without
    ``non_blocking``. The result of ``to`` counts as being on the device.
    """

    def __init__(self, mode: OnDevice) -> None:
        super().__init__()
        self.mode = mode

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, options = getattr(func, '__name__', ''), kwargs or {}
        # Optimizers give the device CPU as a string; their counters are on the host.
        if name in MAKING and (isinstance(options.get('device'), torch.device) or name == 'new_tensor'):
            self.mode.note(name)
        if name in ('__getitem__', '__setitem__') and self.mode.has([args[0]]) and _has_list(args[1]):
            self.mode.note(f'{name} of a list')
        result = func(*args, **options)
        if name == 'to' and any(isinstance(one, torch.device) for one in (*args, options.get('device'))):
            if not self.mode.has([args[0]]) and not options.get('non_blocking'):
                self.mode.note('to, which blocks')
            self.mode.put([result])
        return result


def _has_list(index: Any) -> bool:
    return any(isinstance(one, list) for one in (index if isinstance(index, tuple) else (index,)))


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _counts_a_mask(indices: Any, value: Any = None) -> bool:
    """Return whether an index is a mask whose pixels CUDA counts. To fill a mask with a single value needs no count."""
    if isinstance(value, Tensor) and value.numel() == 1:
        return False
    return any(one.dtype in (torch.bool, torch.uint8) for one in _tensors(indices))


@contextmanager
def reads_of(tensors: list[Tensor]) -> Iterator[list[tuple[str, str]]]:
    """Collect the places in the block where the host reads values of the tensors, or of results computed from them."""
    mode = OnDevice(tensors)

    def noted(name: str) -> mock._patch:
        original = getattr(Tensor, name)

        def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            if mode.has([self]):
                mode.note(f'Tensor.{name}')
            return original(self, *args, **kwargs)

        return mock.patch.object(Tensor, name, method)

    patches = [noted(name) for name in READING]
    for patch in patches:
        patch.start()
    try:
        with mode, Uploads(mode):
            yield mode.found
    finally:
        for patch in patches:
            patch.stop()


FOLLOWED = ('minicity', 'carla2camvid', 'maxsquare_minicity')
"""Name prefixes of the configs whose steps are tracked. Most methods have one; tracking all configs would take long."""
ONLY = ('gta2city_feature', 'gta2city_dacs', 'gta2city_minent', 'gta2city_adaptsegnet')
"""Names of further tracked configs, of methods without a config of these prefixes."""


def is_followed(path: Path) -> bool:
    """Return whether the steps of a config are tracked."""
    return path.stem.startswith(FOLLOWED) or path.stem in ONLY


@contextmanager
def never_waiting(path: Path) -> Iterator[None]:
    """Fail in the block at every training step of a config that would make the host wait for a GPU.

    Functions in `KNOWN` are exceptions. A step includes the copies of the batch, forward, backward and the optimizers.
    Every second step runs in bfloat16.
    """
    if not is_followed(path):
        yield
        return
    original = BaseAdaptor.train_step
    # Stages train several models one after the other, and a later one can have the `id` of one that is gone.
    steps: WeakKeyDictionary[BaseAdaptor, int] = WeakKeyDictionary()

    def train_step(self: BaseAdaptor, data: dict, optim_wrapper: Any) -> dict:
        steps[self] = steps.get(self, 0) + 1
        known = KNOWN if steps[self] > 1 else KNOWN | KNOWN_ONCE
        dtype = optim_wrapper.dtype if steps[self] % 2 else torch.bfloat16
        with mock.patch.object(optim_wrapper, 'dtype', dtype), reads_of([*self.parameters(), *self.buffers()]) as found:
            result = original(self, data, optim_wrapper)
        waits = sorted({place for function, place in found if function not in known})
        assert not waits, f'{type(self).__name__} would wait for a GPU: {waits}'
        return result

    with mock.patch.object(BaseAdaptor, 'train_step', train_step):
        yield
