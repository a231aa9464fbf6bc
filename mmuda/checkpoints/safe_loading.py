"""Safe reading for mmengine's loaders of checkpoints (``load_from``, ``resume``, ``init_cfg``)."""

import os
import re
from collections.abc import Callable
from functools import wraps
from pickle import UnpicklingError
from typing import Any
from urllib.error import URLError

import torch
from mmengine.dist import barrier, get_local_rank
from mmengine.runner.checkpoint import CheckpointLoader
from torch.hub import get_dir

from mmuda.environ import environment_variable
from mmuda.internals import FORCE_WEIGHTS_ONLY, checkpoint_loaders, replace_final_loaders

from .packages import SCHEME, installed_file
from .reading import read_checkpoint, read_file, refused, sound_content
from .stand_ins import stand_ins

_SAFE: set[Callable] = set()
"""Loaders that read safely."""


def install_safe_loading() -> None:
    """Make mmengine read checkpoints without running code that is in them, **for the whole process**.

    ``import mmuda`` calls this once. From then on every loader of :class:`mmengine.runner.checkpoint.CheckpointLoader`
    refuses files that only full unpickling could restore (:class:`UntrustedCheckpoint`). mmengine alone would unpickle
    them after a warning, and run any code that somebody put into them.

    - Files, URLs and files of packages (``package://``) are read by :func:`load_from_local`, :func:`load_from_http` and
      :func:`load_from_package`.
    - Loaders of other prefixes (``open-mmlab://``, ``torchvision://``, ``s3://``, those of plug-ins) are kept. While
      they run, :func:`torch.load` uses ``weights_only=True``.

    It can be called again to cover loaders that were registered meanwhile. ``torch.load`` itself and
    ``mmengine.fileio`` are not changed.
    """
    for prefix, loader in OWN_LOADERS.items():
        CheckpointLoader.register_scheme(prefix, loader, force=True)
    for prefix, loader in checkpoint_loaders().items():
        if loader not in _SAFE:
            CheckpointLoader.register_scheme(prefix, _guarded(loader), force=True)
    replace_final_loaders(
        dict(load_from_local=load_from_local, load_from_http=load_from_http, _safe_torch_load=_read_file)
    )


def load_from_local(filename: str, map_location: str | None = None) -> Any:
    """Load a checkpoint from a local file, without mmengine's fallback to full unpickling."""
    return read_checkpoint(filename, map_location)


def load_from_http(filename: str, map_location: str | None = None, model_dir: str | None = None) -> Any:
    """Load a checkpoint from a URL. It is downloaded once for each machine.

    Args:
        filename: The URL.
        map_location: As in :func:`torch.load`.
        model_dir: Folder of the downloads; by default the folder of :mod:`torch.hub`.

    Raises:
        RuntimeError: If the file cannot be downloaded. The message names the path for a copy made by hand.
    """
    folder = model_dir or os.path.join(get_dir(), 'checkpoints')
    if get_local_rank() == 0:  # every machine has its own cache
        _download(filename, folder)
    barrier()
    return read_checkpoint(os.path.join(folder, os.path.basename(filename)), map_location)


def load_from_package(filename: str, map_location: str | None = None) -> Any:
    """Load a checkpoint from a file inside an installed package, see :func:`installed_file`."""
    return read_checkpoint(installed_file(filename), map_location)


OWN_LOADERS: dict[str, Callable] = {
    '': load_from_local,
    'http://': load_from_http,
    'https://': load_from_http,
    SCHEME: load_from_package,
}
"""Our loaders, by the prefix of the names that they load."""
_SAFE.update(OWN_LOADERS.values())


def _read_file(file: Any, map_location: str | None = None, weights_only: bool | None = None) -> Any:
    """Read an open file or a path. The signature is that of the function that mmengine's other loaders call."""
    return read_file(os.fspath(file) if isinstance(file, os.PathLike) else file, map_location)


def _guarded(loader: Callable) -> Callable:
    """Return a loader that finds files as ``loader`` does, but reads them with ``weights_only=True``."""

    @wraps(loader)
    def load(filename: str, *args: Any, **kwargs: Any) -> Any:
        try:
            with environment_variable(FORCE_WEIGHTS_ONLY, '1'), stand_ins():
                return sound_content(loader(filename, *args, **kwargs))
        except UnpicklingError as error:
            raise refused(filename, error) from None

    _SAFE.add(load)
    return load


def _download(url: str, folder: str) -> None:
    name = os.path.basename(url)
    path = os.path.join(folder, name)
    if os.path.isfile(path):
        return
    # A name like weights-f81d91e8.pth holds the first digits of the SHA-256 of the file.
    digest = re.search(r'-([0-9a-f]{8,})\.', name)
    try:
        os.makedirs(folder, exist_ok=True)
        torch.hub.download_url_to_file(
            url, path, hash_prefix=digest.group(1) if digest else None, progress=os.isatty(2)
        )
    except (URLError, OSError, RuntimeError) as error:
        raise RuntimeError(
            f'{url} could not be downloaded ({error}). Fetch it on a machine with a network and put it at {path}, or '
            'name a local copy in the config (init_cfg.checkpoint or load_from); init_cfg=None starts from random '
            'weights.'
        ) from error
