"""Reading checkpoints: never unpickling objects by trust, and never loading less than was said."""
import hashlib
import os
import re
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Callable, Dict, Iterator, List, Optional, Union
from urllib.error import URLError

import numpy as np
import torch
from mmengine.dist import barrier, get_local_rank
from mmengine.logging import HistoryBuffer, print_log
from mmengine.model import BaseTTAModel
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.runner.checkpoint import load_state_dict as load_state_dict_through_wrappers
from torch import Tensor, nn
from torch.hub import get_dir


def _statistics_method(owner: type, name: str) -> Callable:
    """The only ``getattr`` that mmengine's log buffers need when they are read back."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise UnpicklingError(f'it asks for {name!r} of {owner!r}')
    return getattr(owner, name)


_statistics_method.__module__, _statistics_method.__qualname__ = 'builtins', 'getattr'
_statistics_method.__name__ = 'getattr'
_numpy_core = getattr(np, '_core', None) or np.core

SAFE_TYPES = [
    HistoryBuffer, _statistics_method, np.ndarray, np.dtype, _numpy_core.multiarray._reconstruct,
    _numpy_core.multiarray.scalar,
    *{type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64, np.uint8, np.uint32, np.bool_)}
]
"""What mmengine's training checkpoints hold besides tensors and plain Python values. Nothing here acts when called."""


@contextmanager
def _safe_types() -> Iterator[None]:
    if hasattr(torch.serialization, 'safe_globals'):
        with torch.serialization.safe_globals(SAFE_TYPES):
            yield
    else:  # PyTorch 2.4 can only add them for good
        torch.serialization.add_safe_globals(SAFE_TYPES)
        yield


def read_checkpoint(filename: Union[str, Path], map_location: Optional[str] = 'cpu') -> dict:
    """Read a local checkpoint without executing anything that is in it.

    Args:
        filename: A ``.pth`` file.
        map_location: As in :func:`torch.load`.

    Raises:
        FileNotFoundError: If there is no such file.
        RuntimeError: If it is truncated, no checkpoint, or holds objects that only full unpickling could restore.
    """
    path = os.path.expanduser(os.fspath(filename))
    if not os.path.isfile(path):
        raise FileNotFoundError(f'checkpoint {path} does not exist: check the path (training writes '
                                'WORK_DIR/iter_N.pth)')
    try:
        with _safe_types():
            return torch.load(path, map_location=map_location, weights_only=True)
    except UnpicklingError as error:
        found = re.search(r'Unsupported (?:global: GLOBAL|class) (\S+)|(it asks for .*?of .*)', str(error))
        reason = f'it holds {found.group(1)};' if found and found.group(1) else 'it holds more than weights;'
        raise RuntimeError(
            f'{path} is not a plain checkpoint: {reason} reading that could run code hidden in the file, so it '
            'is refused. If you made it yourself, save its state_dict again with torch.save.') from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise RuntimeError(f'{path} cannot be read as a checkpoint ({error}): it may be truncated; copy or download '
                           'it again') from error


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: Optional[str] = None) -> dict:
    """mmengine's loader of local files (``init_cfg``, ``load_from``) without its fall-back to full unpickling."""
    return read_checkpoint(filename, map_location)


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: Optional[str] = None, model_dir: Optional[str] = None) -> dict:
    """mmengine's loader of URLs, reading safely and saying what to do without a network.

    Raises:
        RuntimeError: If the file cannot be downloaded.
    """
    folder = model_dir or os.path.join(get_dir(), 'checkpoints')
    if get_local_rank() == 0:  # every machine has its own cache
        _download(filename, folder)
    barrier()
    return read_checkpoint(os.path.join(folder, os.path.basename(filename)), map_location)


def _download(url: str, folder: str) -> None:
    name = os.path.basename(url)
    path = os.path.join(folder, name)
    if os.path.isfile(path):
        return
    # A name like weights-f81d91e8.pth carries the first digits of its SHA-256.
    digest = re.search(r'-([0-9a-f]{8,})\.', name)
    try:
        os.makedirs(folder, exist_ok=True)
        torch.hub.download_url_to_file(url, path, hash_prefix=digest and digest.group(1), progress=os.isatty(2))
    except (URLError, OSError, RuntimeError) as error:
        raise RuntimeError(
            f'{url} could not be downloaded ({error}). Fetch it on a machine with a network and put it at {path}, or '
            'name a local copy in the config (init_cfg.checkpoint or load_from); init_cfg=None starts from random '
            'weights.') from error


def latest_checkpoint(work_dir: Union[str, Path]) -> Optional[str]:
    """The checkpoint that training wrote last into a work directory, or None.

    mmengine notes its name in ``last_checkpoint``; a note that was torn by a kill is not believed, and then the highest
    number counts. Checkpoints themselves are written whole or not at all.
    """
    note = Path(work_dir) / 'last_checkpoint'
    if note.is_file():
        noted = Path(work_dir) / Path(note.read_text().strip() or '.').name
        if noted.is_file():
            return str(noted)
    found = {}
    for path in Path(work_dir).glob('iter_*.pth'):
        number = path.stem[len('iter_'):]
        if number.isdigit():
            found[int(number)] = path
    return str(found[max(found)]) if found else None


def load_weights(model: nn.Module, checkpoint: dict, filename: str, strict: bool = False) -> List[str]:
    """Load the weights of a checkpoint into an adaptor, or say exactly why not.

    A plain mmseg checkpoint goes into the adaptor's ``segmentor``. Each direct child that both sides have must match key
    by key and shape by shape. Without ``strict``, children that only one side has are left out, and returned and logged.

    Args:
        model: A bare adaptor (children may be wrapped) or a plain segmentor.
        checkpoint: What :func:`read_checkpoint` returned.
        filename: For messages.
        strict: Everything must match (resuming).

    Returns:
        Names of the children that were left out.

    Raises:
        RuntimeError: With every missing, unexpected and mis-shaped key.
    """
    if isinstance(model, BaseTTAModel):
        model = model.module
    weights: Dict[str, Tensor] = dict(checkpoint.get('state_dict', checkpoint))
    weights = {re.sub(r'^module\.', '', key): value for key, value in weights.items()}
    expected = model.state_dict()
    prefix = 'segmentor.'
    if hasattr(model, 'segmentor') and not any(key.startswith(prefix) for key in weights):
        weights = {prefix + key: value for key, value in weights.items()}
    elif not hasattr(model, 'segmentor') and any(key.startswith(prefix) for key in weights):
        weights = {key[len(prefix):]: value for key, value in weights.items() if key.startswith(prefix)}
    left_out = []
    if not strict and hasattr(model, 'segmentor'):
        left_out = sorted((_children(expected) ^ _children(weights)) - {'segmentor'})
    relevant = {key for key in expected if _child(key) not in left_out}
    given = {key: value for key, value in weights.items() if _child(key) not in left_out}
    # Counters of batch-norm are not in the older checkpoints of the papers.
    for key in relevant:
        if key.endswith('num_batches_tracked') and not strict:
            given.setdefault(key, torch.zeros_like(expected[key]))

    problems = {
        'missing': sorted(relevant - set(given)),
        'unexpected': sorted(set(given) - relevant),
        'of another shape (checkpoint, model)': [
            f'{key} {tuple(given[key].shape)} {tuple(expected[key].shape)}' for key in sorted(relevant & set(given))
            if given[key].shape != expected[key].shape
        ],
    }
    if any(problems.values()):
        told = '\n'.join(f'  {kind}: {", ".join(keys)}' for kind, keys in problems.items() if keys)
        raise RuntimeError(f'{filename} does not fit {type(model).__name__}:\n{told}\n'
                           'Use the config that the checkpoint was trained with (number of classes, levels, backbone).')
    if left_out:
        print_log(f'{filename}: left out {", ".join(left_out)} (only on one side)', logger='current')
    full = {key: given.get(key, expected[key]) for key in expected}
    load_state_dict_through_wrappers(model, full, strict=True)
    return left_out


def weights_digest(checkpoint: dict) -> str:
    """SHA-256 of the weights in a checkpoint: names, types, shapes and values, whatever else the file holds.

    Args:
        checkpoint: What :func:`read_checkpoint` returned.
    """
    digest = hashlib.sha256()
    for name, value in sorted(checkpoint.get('state_dict', checkpoint).items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)};'.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _child(key: str) -> str:
    return key.split('.', 1)[0]


def _children(state: Dict[str, Tensor]) -> set:
    return {_child(key) for key in state}
