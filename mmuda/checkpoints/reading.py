"""Reading of checkpoint files without running code that is in them."""

import os
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO

import torch

from mmuda.internals import (
    ARCHIVE_PICKLE,
    LEGACY_MAGIC,
    TORCHSCRIPT_PICKLE,
    names_weights_only,
    refusal,
    refused_global,
)

from .archives import archive_damage
from .latest import newest_intact
from .stand_ins import restore, stand_ins


class UntrustedCheckpoint(RuntimeError):
    """Error about a file that holds objects which only full unpickling could restore."""


def read_checkpoint(filename: str | Path, map_location: str | None = 'cpu', trust: bool = False) -> Any:
    """Read a local checkpoint without running code that is in it.

    Args:
        filename: A ``.pth`` file.
        map_location: As in :func:`torch.load`.
        trust: Unpickle the whole file, which runs any code that somebody put into it. Only the converters offer this.

    Returns:
        The content of the file, usually a dict.

    Raises:
        FileNotFoundError: If the file does not exist.
        UntrustedCheckpoint: If the file holds objects that only full unpickling could restore, and ``trust`` is False.
        RuntimeError: If the file is damaged, truncated or no checkpoint. The message names the newest intact checkpoint
            in the same folder, if there is one.
    """
    path = os.path.expanduser(os.fspath(filename))
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'checkpoint {path} does not exist: check the path (training writes WORK_DIR/iter_N.pth)'
        )
    try:
        return read_file(path, map_location, trust)
    except UntrustedCheckpoint:
        raise
    except RuntimeError as error:
        intact = newest_intact(os.path.dirname(path))
        if intact is None or os.path.abspath(path) == os.path.abspath(intact):
            raise
        raise RuntimeError(f'{error}\nThe newest intact checkpoint beside it is {intact}') from error


def read_meta(filename: str | Path) -> Any:
    """Return ``meta`` of a checkpoint, without its config; None if it has none. Tensors are not read."""
    with stand_ins():
        content = sound_content(torch.load(filename, map_location='cpu', weights_only=True, mmap=True))
    return content.get('meta') if isinstance(content, dict) else None


def read_file(file: str | BinaryIO, map_location: str | None = None, trust: bool = False) -> Any:
    """Read a path or an open file as :func:`read_checkpoint` does."""
    if map_location is None and not torch.cuda.is_available():
        map_location = 'cpu'
    if not trust:
        problem = archive_damage(file)
        if problem is not None:
            raise RuntimeError(f'{_name(file)} is damaged: {problem}; copy or download it again')
    try:
        if trust:
            return torch.load(file, map_location=map_location, weights_only=False)
        with stand_ins():
            return sound_content(torch.load(file, map_location=map_location, weights_only=True))
    except (PermissionError, MemoryError):
        raise
    except UnpicklingError as error:
        raise _refused(file, error) from None  # the text of the original error advises to trust the file
    except Exception as error:  # PyTorch raises errors of any type on damaged files
        raise _unreadable(file, error) from error


def sound_content(content: Any) -> Any:
    """Return the content of a file with real objects instead of stand-ins, and without the config in ``meta``.

    Args:
        content: Result of ``torch.load(weights_only=True)`` with :func:`stand_ins`.

    Raises:
        UnpicklingError: If the file holds malformed arrays or log histories.
    """
    content = restore(content)
    meta = content.get('meta') if isinstance(content, dict) else None
    if isinstance(meta, dict):
        meta.pop('config', None)  # mmengine would execute this text when it resumes
    return content


def refused(name: str, error: Exception) -> UntrustedCheckpoint:
    """Return the error for a file that ``torch.load(weights_only=True)`` refused."""
    message = str(error)
    found = refused_global(message)
    reason = f'it holds {found}' if found else f'it holds more than weights, or is damaged ({refusal(message)[:200]})'
    return UntrustedCheckpoint(
        f'{name} is not a plain checkpoint: {reason}; reading that could run code hidden in the file, so '
        'it is refused. If you made it yourself, save its state_dict again with torch.save.'
    )


def _refused(file: str | BinaryIO, error: UnpicklingError) -> RuntimeError:
    members = _members(file)
    if TORCHSCRIPT_PICKLE in members:
        return _is_torchscript(_name(file))
    if ARCHIVE_PICKLE not in members:
        return RuntimeError(f'{_name(file)} is no checkpoint of PyTorch, or a damaged one: copy or download it again')
    return refused(_name(file), error)


def _unreadable(file: str | BinaryIO, error: Exception) -> RuntimeError:
    if TORCHSCRIPT_PICKLE in _members(file):
        return _is_torchscript(_name(file))
    if names_weights_only(error):
        return refused(_name(file), error)
    return RuntimeError(
        f'{_name(file)} cannot be read as a checkpoint ({type(error).__name__}: {error}): it is no checkpoint, or it '
        'is truncated; copy or download it again'
    )


def _is_torchscript(name: str) -> RuntimeError:
    return RuntimeError(f'{name} is a module of TorchScript, not a checkpoint: save the state_dict of the model')


def _name(file: str | BinaryIO) -> str:
    return file if isinstance(file, str) else 'the checkpoint'


def _members(file: str | BinaryIO) -> set[str]:
    """Return the names of the parts of a file that PyTorch wrote. Files of old versions are a single pickle."""
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
    return {ARCHIVE_PICKLE} if LEGACY_MAGIC in head else set()
