"""Which MiniCity a folder holds: the manifest beside its files."""

import json
import shutil
from pathlib import Path
from typing import Any

from mmuda.files import write_atomically

from .layout import MANIFEST_NAME, PARTS

_GENERATOR = dict(generator='MiniCity')


def claim_root(root: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Make sure that a folder holds the wanted MiniCity, complete or not, or nothing in its place.

    Args:
        root (Path): The folder; it is made if need be.
        settings (dict): All that decides which files there are and what they hold, in types that JSON knows.
        overwrite (bool): Delete a MiniCity that is there.

    Raises:
        FileExistsError: If the folder holds another MiniCity, or other data in its place.
    """
    manifest = root / MANIFEST_NAME
    wanted = {**_GENERATOR, **settings}
    if not manifest.exists():
        _check_vacant(root)
    elif overwrite:
        _read(manifest)
        for part in PARTS:
            shutil.rmtree(root / part, ignore_errors=True)
    else:
        _check_same(manifest, wanted)
        return
    write_atomically(manifest, (json.dumps(wanted, indent=2) + '\n').encode())


def _check_vacant(root: Path) -> None:
    taken = [part for part in PARTS if (root / part).exists()]
    if taken:
        raise FileExistsError(
            f'{root / taken[0]} exists but {root / MANIFEST_NAME} does not: this is not a MiniCity. '
            'Choose another root.'
        )


def _check_same(manifest: Path, wanted: dict[str, Any]) -> None:
    found = _read(manifest)
    differing = [
        f'{key}: found {found.get(key)!r}, wanted {wanted.get(key)!r}'
        for key in {**wanted, **found}
        if found.get(key) != wanted.get(key)
    ]
    if differing:
        raise FileExistsError(
            f'{manifest} describes another MiniCity ({", ".join(differing)}). '
            'Choose another root, or replace it with overwrite=True (--overwrite).'
        )


def _read(manifest: Path) -> dict[str, Any]:
    """Read a manifest; one without a version is of the time when there was one look."""
    try:
        found = json.loads(manifest.read_text(encoding='utf-8'))
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get('generator') != _GENERATOR['generator']:
        raise FileExistsError(
            f'{manifest} is not a manifest of MiniCity (JSON with "generator": "MiniCity"). '
            'Choose another root, or delete the file and the folders beside it.'
        )
    return {'version': 1, **found}
