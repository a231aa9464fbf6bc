"""Checkpoints and models: which is the latest, does it fit, and never loading less than was said."""

from mmuda.ranks import unwrap
import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel
from mmengine.runner.checkpoint import load_state_dict as load_state_dict_through_wrappers
from torch import Tensor, nn

from .states import plain_state, weight_problems, with_counters


def latest_checkpoint(work_dir: str | Path) -> str | None:
    """The checkpoint that training wrote last into a work directory, or None.

    mmengine notes its name in ``last_checkpoint``; a note that was torn by a kill is not believed, and then the highest
    number counts. Checkpoints themselves are written whole or not at all.
    """
    note = Path(work_dir) / 'last_checkpoint'
    if note.is_file():
        noted = Path(work_dir) / Path(note.read_text(encoding='utf-8').strip() or '.').name
        if noted.is_file():
            return str(noted)
    found = {}
    for path in Path(work_dir).glob('iter_*.pth'):
        number = path.stem[len('iter_') :]
        if number.isdigit():
            found[int(number)] = path
    return str(found[max(found)]) if found else None


def load_weights(model: nn.Module, checkpoint: dict, filename: str, strict: bool = False) -> list[str]:
    """Load the weights of a checkpoint into an adaptor, or say exactly why not.

    A plain mmseg checkpoint goes into the adaptor's ``segmentor``. Each direct child that both sides have must match
    key by key and shape by shape. Without ``strict``, children that only one side has are left out, and returned and
    logged.

    Args:
        model: A bare adaptor (children may be wrapped) or a plain segmentor.
        checkpoint: What :func:`read_checkpoint` returned.
        filename: For messages.
        strict: Everything must match (resuming).

    Returns:
        Names of the children that were left out.

    Raises:
        RuntimeError: With every missing, unexpected, mis-shaped and mistyped key; or if it holds no weights.
    """
    if isinstance(model, BaseTTAModel):
        model = model.module
    weights = plain_state(checkpoint, filename)
    expected = model.state_dict()
    prefix = 'segmentor.'
    if hasattr(model, 'segmentor') and not any(key.startswith(prefix) for key in weights):
        weights = {prefix + key: value for key, value in weights.items()}
    elif not hasattr(model, 'segmentor') and any(key.startswith(prefix) for key in weights):
        weights = {key[len(prefix) :]: value for key, value in weights.items() if key.startswith(prefix)}
    left_out = []
    if not strict and hasattr(model, 'segmentor'):
        left_out = sorted((_children(expected) ^ _children(weights)) - {'segmentor'})
    relevant = {key for key in expected if _child(key) not in left_out}
    given = {key: value for key, value in weights.items() if _child(key) not in left_out}
    if not strict:
        given = with_counters(given, {key: expected[key] for key in relevant})
    problems = weight_problems({key: expected[key] for key in relevant}, given)
    if problems:
        raise RuntimeError(
            f'{filename} does not fit {type(model).__name__}:\n{problems}\n'
            'Use the config that the checkpoint was trained with (number of classes, levels, backbone).'
        )
    _check_branches(getattr(model, 'segmentor', model), checkpoint, filename)
    if left_out:
        print_log(f'{filename}: left out {", ".join(left_out)} (only on one side)', logger='current')
    full = {key: given.get(key, expected[key]) for key in expected}
    load_state_dict_through_wrappers(model, full, strict=True)
    return left_out


def summed_branches(segmentor: nn.Module) -> dict[str, list[int]]:
    """Which branches each DeepLabV2 head of a segmentor adds up, which the keys of a checkpoint do not tell."""
    segmentor = unwrap(segmentor)
    heads = {name: getattr(segmentor, name, None) for name in ('decode_head', 'auxiliary_head')}
    return {name: list(head.summed) for name, head in heads.items() if hasattr(head, 'summed')}


def _check_branches(segmentor: nn.Module, checkpoint: dict, filename: str) -> None:
    """Compare the branches that heads add up; another sum would give wrong results without a word."""
    meta = checkpoint.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    trained = meta.get('summed_branches')
    trained = trained if isinstance(trained, Mapping) else {}
    here = summed_branches(segmentor)
    for name in set(trained) & set(here):
        if trained[name] != here[name]:
            raise RuntimeError(
                f'{filename} comes from a network whose {name} adds up the branches {trained[name]}, but this config '
                f'adds up {here[name]}: use a config of its method ({meta.get("method")}), or set {name}.summed'
            )


def weights_digest(checkpoint: dict, filename: str) -> str:
    """SHA-256 of the weights in a checkpoint: names, types, shapes and values, whatever else the file holds.

    Args:
        checkpoint: What :func:`read_checkpoint` returned.
        filename: For messages.
    """
    digest = hashlib.sha256()
    for name, value in sorted(plain_state(checkpoint, filename).items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)};'.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _child(key: str) -> str:
    return key.split('.', 1)[0]


def _children(state: dict[str, Tensor]) -> set:
    return {_child(key) for key in state}
