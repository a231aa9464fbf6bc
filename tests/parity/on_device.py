"""A pytest plugin that runs the training steps of the golden tests on another device: ``-p on_device``.

The tests do not change. Each step moves the model, the optimizer states and the batch to the device given by the
variable ``GOLDEN_DEVICE``, and moves the model back. The tolerances are those for a CPU, multiplied by
``GOLDEN_SLACK``, since a GPU adds in another order.
"""

import os
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from torch import Tensor
from torch.utils._pytree import tree_map

from mmuda.models.adaptors import BaseAdaptor

DEVICE = os.environ.get('GOLDEN_DEVICE', 'cpu')
SLACK = float(os.environ.get('GOLDEN_SLACK', '1'))
TOLERANCES = ('LOSS', 'WEIGHT', 'GRADIENT', 'CLOSE', 'TOLERANCE')
"""Names of the tolerances in the test modules."""

STEPS: list[str] = []
"""The device of each training step."""

train_step, to_numpy, to_array, allclose = (
    BaseAdaptor.train_step,
    Tensor.numpy,
    Tensor.__array__,
    np.testing.assert_allclose,
)


def moved(tree: Any, device: str) -> Any:
    """Return nested tensors, and samples of mmseg, on a device."""
    return tree_map(lambda leaf: leaf.to(device) if hasattr(leaf, 'to') else leaf, tree)


def move_optimizers(wrappers: Any, device: str) -> None:
    """Move the states of optimizers. Step counters stay on the CPU, where PyTorch keeps them."""
    for wrapper in wrappers.values():
        for state in wrapper.optimizer.state.values():
            state.update({key: moved(value, device) for key, value in state.items() if key != 'step'})


def on_device(self: BaseAdaptor, data: dict, wrappers: Any) -> dict:
    """Run a training step on the device, and move all results back to the CPU."""
    self.to(DEVICE)
    move_optimizers(wrappers, DEVICE)
    logs = train_step(self, moved(data, DEVICE), wrappers)
    STEPS.append(next(self.parameters()).device.type)
    move_optimizers(wrappers, 'cpu')
    self.to('cpu')
    for name, value in vars(self).items():
        if not name.startswith('_'):
            setattr(self, name, moved(value, 'cpu'))
    return moved(logs, 'cpu')


def pytest_configure() -> None:
    BaseAdaptor.train_step = on_device
    Tensor.numpy = lambda self, *args, **kwargs: to_numpy(self.cpu(), *args, **kwargs)
    Tensor.__array__ = lambda self, *args, **kwargs: to_array(self.detach().cpu(), *args, **kwargs)

    def slack(actual: Any, desired: Any, rtol: float = 1e-7, atol: float = 0, **kwargs: Any) -> None:
        allclose(actual, desired, rtol * SLACK, atol * SLACK, **kwargs)

    np.testing.assert_allclose = slack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for module in {item.module for item in items}:
        loosen(module)


def loosen(module: ModuleType) -> None:
    """Multiply the tolerances of a module, including those that are defaults of its functions."""
    found = {name: vars(module)[name] for name in TOLERANCES if isinstance(vars(module).get(name), float)}
    for name, value in found.items():
        setattr(module, name, value * SLACK)
    for function in vars(module).values():
        defaults = getattr(function, '__defaults__', None)
        if defaults and getattr(function, '__module__', None) in (module.__name__, 'replay'):
            function.__defaults__ = tuple(one * SLACK if one in found.values() else one for one in defaults)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f'{len(STEPS)} steps on {" and ".join(sorted(set(STEPS))) or "no device"}')
