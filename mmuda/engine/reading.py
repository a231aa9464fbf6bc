"""Reading checkpoint files without unpickling objects by trust, from whatever place mmengine knows."""
import os
import re
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from pickle import UnpicklingError
from typing import Callable, Iterator, Optional, Union
from urllib.error import URLError

import numpy as np
import torch
from mmengine.dist import barrier, get_local_rank
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
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


class UntrustedCheckpoint(RuntimeError):
    """A file holds objects that only full unpickling could restore."""


def read_checkpoint(filename: Union[str, Path], map_location: Optional[str] = 'cpu', trust: bool = False) -> dict:
    """Read a local checkpoint without executing anything that is in it.

    Args:
        filename: A ``.pth`` file.
        map_location: As in :func:`torch.load`.
        trust: Unpickle whatever is in it, which runs any code that somebody put there. Only the converters offer it.

    Raises:
        FileNotFoundError: If there is no such file.
        UntrustedCheckpoint: If it holds objects that only full unpickling could restore, without ``trust``.
        RuntimeError: If it is truncated or no checkpoint.
    """
    path = os.path.expanduser(os.fspath(filename))
    if not os.path.isfile(path):
        raise FileNotFoundError(f'checkpoint {path} does not exist: check the path (training writes '
                                'WORK_DIR/iter_N.pth)')
    try:
        with _safe_types():
            return torch.load(path, map_location=map_location, weights_only=not trust)
    except UnpicklingError as error:
        found = re.search(r'(?:Unsupported (?:global: GLOBAL|class)|GLOBAL) (\S+)|(it asks for .*?of .*)', str(error))
        if not found:
            raise RuntimeError(f'{path} is no checkpoint of PyTorch, or a damaged one: copy or download it again') from None
        reason = f'it holds {found.group(1)};' if found.group(1) else 'it holds more than weights;'
        raise UntrustedCheckpoint(
            f'{path} is not a plain checkpoint: {reason} reading that could run code hidden in the file, so it '
            'is refused. If you made it yourself, save its state_dict again with torch.save.') from None
    except Exception as error:  # what PyTorch raises on damaged files depends on where they are damaged
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


def _guarded(loader: Callable) -> Callable:
    """One of mmengine's other loaders (``open-mmlab://``, ``torchvision://``, ``s3://``, ...), reading weights only.

    PyTorch's switch in the environment holds whatever a caller of ``torch.load`` asks for.
    """
    if getattr(loader, 'reads_weights_only', False):
        return loader

    @wraps(loader)
    def load(filename: str, *args, **kwargs) -> dict:
        before = os.environ.get(FORCE)
        os.environ[FORCE] = '1'
        try:
            with _safe_types():
                return loader(filename, *args, **kwargs)
        except UnpicklingError as error:
            raise UntrustedCheckpoint(f'{filename} is not a plain checkpoint: reading the objects in it could run code hidden in '
                                      f'the file, so it is refused ({error})') from None
        finally:
            if before is None:
                del os.environ[FORCE]
            else:
                os.environ[FORCE] = before

    load.reads_weights_only = True
    return load


FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
load_from_local.reads_weights_only = load_from_http.reads_weights_only = True
for _prefix, _loader in list(CheckpointLoader._schemes.items()):
    CheckpointLoader.register_scheme(_prefix, _guarded(_loader), force=True)


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
