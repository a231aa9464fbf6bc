"""Options for the speed of the networks of any method: memory format and compilation."""

import importlib.util
import inspect
import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.device import get_device
from torch import nn

from mmuda.models.segmentors import AdaptiveEncoderDecoder
from mmuda.ranks import unwrap

MEMORY_FORMATS = {'contiguous': torch.contiguous_format, 'channels_last': torch.channels_last}
"""Values of ``memory_format`` of a config."""

COMPILERS = ('c++', 'g++', 'clang++')


def set_memory_format(model: nn.Module, memory_format: str | None) -> None:
    """Store the weights of convolutions in a memory format, in place; activations get the same format.

    Values, names and shapes do not change, so checkpoints do not depend on the format.

    Args:
        model: Any network, before it is wrapped for distributed training.
        memory_format: A key of :data:`MEMORY_FORMATS`, or None, which changes nothing.

    Raises:
        ValueError: If the format is unknown.
    """
    if memory_format is None:
        return
    if memory_format not in MEMORY_FORMATS:
        raise ValueError(f'memory_format={memory_format!r}, expected None or one of {list(MEMORY_FORMATS)}')
    model.to(memory_format=MEMORY_FORMATS[memory_format])  # type: ignore[call-overload]  # a documented call


def compile_options(option: Any) -> dict[str, Any] | None:
    """Return the arguments of :func:`torch.compile` for the value of ``compile`` in a config; None for no compilation.

    By default every image size gets its own kernels (``dynamic=False``), since a training has few sizes. The choice of
    kernels then does not depend on earlier sizes, so a resumed training uses the same kernels.

    Args:
        option: True, False, None, or a dict of arguments, as in mmengine.

    Raises:
        ValueError: For anything else, or an argument that :func:`torch.compile` does not have.
    """
    if option is None or option is False:
        return None
    if option is not True and not isinstance(option, Mapping):
        raise ValueError(f'compile={option!r}, expected True, False or a dict of arguments of torch.compile')
    given = {} if option is True else dict(option)
    known = set(inspect.signature(torch.compile).parameters) - {'model'}
    if not set(given) <= known:
        raise ValueError(
            f'compile has {", ".join(sorted(set(given) - known))}, expected arguments of torch.compile: '
            f'{", ".join(sorted(known))}'
        )
    return {'dynamic': False, **given}


def networks_to_compile(adaptor: nn.Module) -> Iterator[nn.Module]:
    """Yield the networks of an adaptor: its trainable children, and segmentors in other children, such as teachers."""
    for child in map(unwrap, adaptor.children()):
        if any(parameter.requires_grad for parameter in child.parameters()):
            yield child
        else:
            yield from (module for module in child.modules() if isinstance(module, AdaptiveEncoderDecoder))


def compile_networks(adaptor: nn.Module, options: Mapping[str, Any]) -> None:
    """Compile each network of an adaptor in place, inside its wrapper for distributed training.

    The code between the networks (losses, mixing, memories) is not compiled, because it reads lists of samples. Names
    in the state dict do not change. A head that runs but is in no loss of an iteration gets zero gradients instead of
    none, so momentum and weight decay act on it.

    Args:
        adaptor: The model, with or without wrapper.
        options: See :func:`compile_options`.

    Raises:
        RuntimeError: If the compiler of the default backend is missing.
    """
    if options.get('backend', 'inductor') == 'inductor':
        _check_compiler(get_device().split(':')[0])
    torch.compiler.reset()  # kernels of an earlier training in this process count towards PyTorch's limit
    for network in networks_to_compile(unwrap(adaptor)):
        network.compile(**options)


def _check_compiler(device: str) -> None:
    """Check that inductor can compile for a device. Otherwise it would fail only in the first iteration."""
    if device == 'cpu' and not any(map(shutil.which, (os.environ.get('CXX', ''), *COMPILERS))):
        raise RuntimeError(
            f'compile needs a C++ compiler on a CPU: none of {", ".join(COMPILERS)} was found, and the environment '
            'variable CXX names none. Install one, or train without compile'
        )
    if device == 'cuda' and importlib.util.find_spec('triton') is None:
        raise RuntimeError(
            'compile needs the package triton on a GPU, which comes with PyTorch for CUDA on Linux: install it, or '
            'train without compile'
        )
