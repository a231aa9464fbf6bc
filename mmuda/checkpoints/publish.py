"""Trained segmentors for users of plain mmseg."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import torch

from mmuda.files import write_atomically
from .states import plain_state

from .reading import read_checkpoint

PREFIX = 'segmentor.'


def publish(checkpoint: str | Path, output: str | Path) -> Path:
    """Write the segmentor of an adaptor's checkpoint with mmseg's own keys and without training state.

    The result loads into an ``EncoderDecoder`` of mmseg, and into an adaptor as ``load_from``.

    Args:
        checkpoint: What training wrote.
        output: File to write; the first 8 digits of its SHA-256 are added to the name.

    Returns:
        The file that was written (whole, or not at all).

    Raises:
        RuntimeError: If the checkpoint holds no segmentor.
    """
    content = read_checkpoint(checkpoint)
    weights = {
        key[len(PREFIX) :]: value
        for key, value in plain_state(content, str(checkpoint)).items()
        if key.startswith(PREFIX)
    }
    if not weights:
        raise RuntimeError(
            f'{checkpoint} holds no weights below {PREFIX!r}: expected a checkpoint that tools/train.py wrote'
        )
    meta = content.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    kept = {
        key: meta[key]
        for key in ('cfg', 'iter', 'seed', 'dataset_meta', 'summed_branches', 'mmuda_version', 'mmengine_version')
        if key in meta
    }
    buffer = io.BytesIO()
    torch.save(dict(state_dict=weights, meta=kept), buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    output = Path(output)
    final = output.with_name(f'{output.stem}-{digest}{output.suffix or ".pth"}')
    write_atomically(final, buffer.getvalue())
    return final
