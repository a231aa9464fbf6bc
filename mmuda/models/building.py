"""Construction of networks without memory for their weights."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import nn
from torch.overrides import TorchFunctionMode


def build_without_memory(cfg: Any) -> nn.Module:
    """Return a model whose weights are on the "meta" device: they have names, shapes and dtypes, but no values.

    A model that reads the values of its weights during construction is built on the CPU instead. The random state of
    the CPU does not change.

    Args:
        cfg: Config of the model. It is not changed.
    """
    # Copies, because a constructor can change its config: mmseg's segmentors move `pretrained` into the backbone's.
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device('meta'), _WithoutValues():
                return MODELS.build(copy.deepcopy(cfg))
        except (NotImplementedError, RuntimeError):
            return MODELS.build(copy.deepcopy(cfg))


_DRAWS = (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, torch.Tensor.normal_, torch.Tensor.uniform_)


class _WithoutValues(TorchFunctionMode):
    """Mode that skips the random initialisation of tensors on "meta".

    PyTorch would load its compiler for it, which takes two seconds. ``torch.linspace`` runs on the CPU, because
    transformers compute their drop-path rates with it and read the values.
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
