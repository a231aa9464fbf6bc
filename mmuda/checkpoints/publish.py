"""Trained segmentors for users of plain mmseg."""

import hashlib
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmuda.files import torch_bytes, write_atomically

from .plain import to_plain
from .reading import read_checkpoint
from .states import check_finite_weights, meta_of, plain_state

PREFIX = 'segmentor.'
OF_TRAINING = frozenset({'epoch', 'experiment_name', 'run', 'time', 'training'})
"""Keys of ``meta`` that describe the run and not the weights."""


def publish(checkpoint: str | Path, output: str | Path, safetensors: bool = False) -> Path:
    """Write the segmentor of an adaptor's checkpoint with mmseg's own keys and without training state.

    The result can be loaded into an ``EncoderDecoder`` of mmseg, and into an adaptor by ``load_from``.

    Args:
        checkpoint: A file that training wrote.
        output: File to write; the first 8 digits of its SHA-256 are added to the name.
        safetensors: Also write the weights as ``.safetensors`` beside it.

    Returns:
        The file with the digits in its name. It is written atomically.

    Raises:
        RuntimeError: If the checkpoint holds no segmentor.
        FloatingPointError: If weights are NaN or infinite.
        ModuleNotFoundError: If ``safetensors`` is True and the package is not installed.
    """
    if safetensors and find_spec('safetensors') is None:
        raise ModuleNotFoundError(
            '.safetensors needs the package safetensors, which is missing: pip install safetensors'
        )
    content = read_checkpoint(checkpoint)
    weights = {
        key[len(PREFIX) :]: value.contiguous()  # the file does not depend on the memory format of the training
        for key, value in plain_state(content, str(checkpoint)).items()
        if key.startswith(PREFIX)
    }
    if not weights:
        raise RuntimeError(
            f'{checkpoint} holds no weights below {PREFIX!r}: expected a checkpoint that tools/train.py wrote'
        )
    check_finite_weights(weights, str(checkpoint))
    meta = {key: value for key, value in meta_of(content).items() if key not in OF_TRAINING}
    output = Path(output)
    written = torch_bytes(to_plain(dict(state_dict=weights, meta=meta)))
    digest = hashlib.sha256(written).hexdigest()[:8]
    final = output.with_name(f'{output.stem}-{digest}{output.suffix or ".pth"}')
    write_atomically(final, written)
    if safetensors:
        from safetensors.torch import save

        facts = {key: json.dumps(value) for key, value in json_only(meta).items()}
        write_atomically(final.with_suffix('.safetensors'), save(weights, metadata=facts))
    return final


def json_only(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries whose values JSON can hold: ``.safetensors`` stores metadata as text."""
    kept = {}
    for key, value in meta.items():
        try:
            json.dumps(value)
        except TypeError:
            continue
        kept[key] = value
    return kept
