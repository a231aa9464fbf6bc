"""Build networks without memory for their weights."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import nn
from torch.overrides import TorchFunctionMode


def build_without_memory(cfg: Any) -> nn.Module:
    """Return a model whose weights have names, shapes and types, but no memory.

    A model that computes with its weights while it is built has them on the CPU.

    Args:
        cfg: Config of the model. It is not changed.
    """
    # Building takes keys out of a config: mmseg's segmentors move `pretrained` into that of their backbone.
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device('meta'), _WithoutValues():
                return MODELS.build(copy.deepcopy(cfg))
        except (NotImplementedError, RuntimeError):
            return MODELS.build(copy.deepcopy(cfg))


_DRAWS = (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, torch.Tensor.normal_, torch.Tensor.uniform_)


class _WithoutValues(TorchFunctionMode):
    """Draw no values, for which PyTorch would load its compiler, two seconds.

    ``torch.linspace`` has values: transformers read the rates of their paths from it, one by one.
    """

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in _DRAWS:
            tensor = kwargs['tensor'] if 'tensor' in kwargs else args[0]
            if tensor.is_meta:
                return tensor
        if func is torch.linspace:
            kwargs.setdefault('device', 'cpu')
        return func(*args, **kwargs)
