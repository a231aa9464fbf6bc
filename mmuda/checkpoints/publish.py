"""Trained segmentors for users of plain mmseg."""

import hashlib
import io
from pathlib import Path

import torch

from mmuda.files import write_atomically

from .plain import to_plain
from .reading import read_checkpoint
from .states import meta_of, plain_state

PREFIX = 'segmentor.'
OF_TRAINING = frozenset({'epoch', 'experiment_name', 'run', 'time', 'training'})
"""Keys of ``meta`` that say something about the run and nothing about the weights."""


def publish(checkpoint: str | Path, output: str | Path) -> Path:
    """Write the segmentor of an adaptor's checkpoint with mmseg's own keys and without training state.

    The result loads into an ``EncoderDecoder`` of mmseg, and into an adaptor as ``load_from``.

    Args:
        checkpoint: A file that training wrote.
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
    meta = {key: value for key, value in meta_of(content).items() if key not in OF_TRAINING}
    output = Path(output)
    buffer = io.BytesIO()
    torch.save(to_plain(dict(state_dict=weights, meta=meta)), buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    final = output.with_name(f'{output.stem}-{digest}{output.suffix or ".pth"}')
    write_atomically(final, buffer.getvalue())
    return final
