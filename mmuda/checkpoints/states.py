"""State dicts of any file: plain tensors by name, and the reasons why they do not fit a network."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def plain_state(content: Any, filename: str) -> dict[str, Tensor]:
    """Return the weights in the content of a file, without the prefixes (``module.``) of distributed wrappers.

    Args:
        content: A dict of names and tensors, or a dict that holds such a dict as ``state_dict``.
        filename: Name of the file, for messages.

    Raises:
        RuntimeError: If it is anything else, or two names differ only in the prefix.
    """
    state = content.get('state_dict', content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise RuntimeError(
            f'{filename} holds a {type(state).__name__} where the weights of a network were expected, a dict of '
            'names and tensors: is it the file you meant?'
        )
    strangers = [key for key, value in state.items() if not _is_plain(value)]
    if strangers:
        raise RuntimeError(
            f'{filename} is no state dict: {", ".join(strangers[:10])} are not plain tensors of real numbers. '
            'Is it the file you meant?'
        )
    plain = {re.sub(r'^(module\.)+', '', key): value for key, value in state.items()}
    if len(plain) < len(state):
        raise RuntimeError(
            f'{filename} holds some weights twice, with and without "module.": save the state_dict of one network'
        )
    return plain


def _is_plain(value: Any) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type != 'meta'
        and not (value.is_quantized or value.is_complex() or value.is_nested)
    )


def meta_of(content: Any) -> Mapping:
    """Return the meta information in the content of a file, empty if there is none."""
    meta = content.get('meta') if isinstance(content, Mapping) else None
    return meta if isinstance(meta, Mapping) else {}


COUNTERS = ('num_batches_tracked', 'iterations.value')
"""Last parts of the names of counters of batch-norm and of the random streams of a network."""


def with_counters(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights, with zeros for missing counters: the files of the papers do not hold these counters."""
    counters = {
        key: torch.zeros(value.shape, dtype=value.dtype) for key, value in expected.items() if key.endswith(COUNTERS)
    }
    return {**counters, **given}


def weight_problems(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Describe why weights cannot be loaded, one line for each kind of problem; return '' if they can be.

    The kinds are missing keys, unexpected keys, keys of another shape, and floating-point numbers where the network
    has integers or the other way round (except counters of batch-norm, which ``half()`` converts to floating point).
    """
    both = sorted(set(expected) & set(given))
    problems = {
        'missing': sorted(set(expected) - set(given)),
        'unexpected': sorted(set(given) - set(expected)),
        'of another shape (checkpoint, model)': [
            f'{key} {tuple(given[key].shape)} {tuple(expected[key].shape)}'
            for key in both
            if given[key].shape != expected[key].shape
        ],
        'of another type (checkpoint, model)': [
            f'{key} {given[key].dtype} {expected[key].dtype}'
            for key in both
            if given[key].is_floating_point() != expected[key].is_floating_point()
            and not key.endswith('num_batches_tracked')
        ],
    }
    return '\n'.join(f'  {kind}: {", ".join(keys)}' for kind, keys in problems.items() if keys)


def check_finite_weights(state: Mapping[str, Tensor], name: str) -> None:
    """Check that weights hold neither NaN nor infinity, with one transfer from each device.

    Args:
        state: Tensors by name. Integer tensors are not checked.
        name: Name of the file or network, for the message.

    Raises:
        FloatingPointError: If weights are NaN or infinite. The message names the first of them.
    """
    floating = {key: value for key, value in state.items() if value.is_floating_point() and value.numel()}
    if not floating:
        return
    found: dict[torch.device, dict[str, Tensor]] = {}
    for key, value in floating.items():
        # Minimum and maximum are NaN if a value is NaN. isfinite() of all values takes ten times as long on a CPU.
        found.setdefault(value.device, {})[key] = torch.stack(value.detach().aminmax()).isfinite().all()
    bad = [
        key
        for flags in found.values()
        for key, finite in zip(flags, torch.stack(list(flags.values())).tolist(), strict=True)
        if not finite
    ]
    if bad:
        more = f' and {len(bad) - 3} more' if len(bad) > 3 else ''
        raise FloatingPointError(
            f'{name} has {len(bad)} of {len(state)} weights with NaN or infinite values ({", ".join(bad[:3])}{more}): '
            'its training has diverged, use an earlier checkpoint'
        )
