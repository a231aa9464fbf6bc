"""Reading checkpoint files without unpickling objects by trust, from whatever place mmengine knows."""

import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO
from urllib.error import URLError

import torch
from mmengine.dist import barrier, get_local_rank
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch.hub import get_dir

from .packages import installed_file
from .stand_ins import restore, stand_ins

LEGACY_MAGIC = b'\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19'
"""The number with which files of PyTorch before 1.6 begin, as pickle writes it."""


class UntrustedCheckpoint(RuntimeError):
    """A file holds objects that only full unpickling could restore."""


def read_checkpoint(filename: str | Path, map_location: str | None = 'cpu', trust: bool = False) -> Any:
    """Read a local checkpoint without executing anything that is in it.

    Args:
        filename: A ``.pth`` file.
        map_location: As in :func:`torch.load`.
        trust: Unpickle whatever is in it, which runs any code that somebody put there. Only the converters offer it.

    Returns:
        What is in it, a dict as a rule.

    Raises:
        FileNotFoundError: If there is no such file.
        UntrustedCheckpoint: If it holds objects that only full unpickling could restore, without ``trust``.
        RuntimeError: If it is truncated or no checkpoint.
    """
    path = os.path.expanduser(os.fspath(filename))
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'checkpoint {path} does not exist: check the path (training writes WORK_DIR/iter_N.pth)'
        )
    return _load(path, map_location, trust)


def _load(file: str | BinaryIO, map_location: str | None, trust: bool = False) -> Any:
    """:func:`torch.load` of a path or an open file, safely and with one clear error."""
    name = file if isinstance(file, str) else 'the checkpoint'
    if map_location is None and not torch.cuda.is_available():
        map_location = 'cpu'
    try:
        if trust:
            return torch.load(file, map_location=map_location, weights_only=False)
        with stand_ins():
            return _sound(torch.load(file, map_location=map_location, weights_only=True))
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # what PyTorch raises on damaged files depends on where they are damaged
        members = _members(file)
        if 'constants.pkl' in members:
            raise RuntimeError(
                f'{name} is a module of TorchScript, not a checkpoint: save the state_dict of the model'
            ) from None
        if 'weights_only' in str(error) and not isinstance(error, UnpicklingError):
            raise _refusal(name, error) from None  # formats of PyTorch before 1.0
        if not isinstance(error, UnpicklingError):
            raise RuntimeError(
                f'{name} cannot be read as a checkpoint ({type(error).__name__}: {error}): it is none, or truncated; '
                'copy or download it again'
            ) from error
        if 'data.pkl' not in members:
            raise RuntimeError(
                f'{name} is no checkpoint of PyTorch, or a damaged one: copy or download it again'
            ) from None
        raise _refusal(name, error) from None


def _sound(content: Any) -> Any:
    """What was read, with real things for the stand-ins and without text that somebody executes."""
    content = restore(content)
    meta = content.get('meta') if isinstance(content, dict) else None
    if isinstance(meta, dict):
        meta.pop('config', None)  # mmengine executes it when it resumes
    return content


def _refusal(name: str, error: Exception) -> UntrustedCheckpoint:
    return UntrustedCheckpoint(
        f'{name} is not a plain checkpoint: {_reason(str(error))}; reading that could run code hidden in the file, so '
        'it is refused. If you made it yourself, save its state_dict again with torch.save.'
    )


def _members(file: str | BinaryIO) -> set:
    """Names of the parts of a file that PyTorch wrote; files of old versions are but one pickle."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return {os.path.basename(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):  # damaged
        return set()
    if isinstance(file, str):
        with open(file, 'rb') as opened:
            head = opened.read(64)
    else:
        file.seek(0)
        head = file.read(64)
    return {'data.pkl'} if LEGACY_MAGIC in head else set()


def _reason(error: str) -> str:
    """What PyTorch's reader of weights did not like, without its advice to trust the file."""
    found = re.search(r'(?:Unsupported (?:global: GLOBAL|class)|GLOBAL) (\S+)', error)
    if found:
        return f'it holds {found[1]}'
    what = re.split(r'\n|\. ', error.rpartition('WeightsUnpickler error: ')[2].strip())[0]
    return f'it holds more than weights, or is damaged ({what[:200]})'


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: str | None = None) -> Any:
    """mmengine's loader of local files (``init_cfg``, ``load_from``) without its fall-back to full unpickling."""
    return read_checkpoint(filename, map_location)


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: str | None = None, model_dir: str | None = None) -> Any:
    """mmengine's loader of URLs, reading safely and saying what to do without a network.

    Raises:
        RuntimeError: If the file cannot be downloaded.
    """
    folder = model_dir or os.path.join(get_dir(), 'checkpoints')
    if get_local_rank() == 0:  # every machine has its own cache
        _download(filename, folder)
    barrier()
    return read_checkpoint(os.path.join(folder, os.path.basename(filename)), map_location)


@CheckpointLoader.register_scheme(prefixes='package://', force=True)
def load_from_package(filename: str, map_location: str | None = None) -> Any:
    """mmengine's loader of files inside of installed packages, see :func:`installed_file`."""
    return read_checkpoint(installed_file(filename), map_location)


def _guarded(loader: Callable) -> Callable:
    """One of mmengine's other loaders (``open-mmlab://``, ``torchvision://``, ``s3://``, ...), reading weights only.

    PyTorch's switch in the environment holds whatever a caller of ``torch.load`` asks for.
    """
    if getattr(loader, 'reads_weights_only', False):
        return loader

    @wraps(loader)
    def load(filename: str, *args, **kwargs) -> Any:
        try:
            with _weights_only(), stand_ins():
                return _sound(loader(filename, *args, **kwargs))
        except UnpicklingError as error:
            raise _refusal(filename, error) from None

    load.reads_weights_only = True
    return load


@contextmanager
def _weights_only() -> Iterator[None]:
    before = os.environ.get(FORCE)
    os.environ[FORCE] = '1'
    try:
        yield
    finally:
        if before is None:
            del os.environ[FORCE]
        else:
            os.environ[FORCE] = before


def _safe_torch_load(file: Any, map_location: str | None = None, weights_only: bool | None = None) -> Any:
    """mmengine's function of this name without its fall-back, and without real types that files may call."""
    return _load(os.fspath(file) if isinstance(file, os.PathLike) else file, map_location)


FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
for _safe in (load_from_local, load_from_http, load_from_package):
    _safe.reads_weights_only = True
for _prefix, _loader in list(CheckpointLoader._schemes.items()):
    CheckpointLoader.register_scheme(_prefix, _guarded(_loader), force=True)
# mmengine's loaders of other schemes end in one of these.
for _function in (load_from_local, load_from_http, _safe_torch_load):
    setattr(mmengine_checkpoint, _function.__name__, _function)


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
            'weights.'
        ) from error
