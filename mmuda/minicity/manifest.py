"""Which MiniCity a folder holds: the manifest beside its files."""

import json
import shutil
from pathlib import Path
from typing import Any

from mmuda.files import write_json

from .layout import MANIFEST_NAME, PARTS

_GENERATOR = dict(generator='MiniCity')
_ORACLE = 'oracle_labels'
"""Whether there are labels that only an oracle reads. They add files and change none, so they may come later."""


def claim_root(root: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Make sure that a folder holds the wanted MiniCity, complete or not, or nothing in its place.

    Labels for an oracle may be wanted where there are none yet; where there are some, they stay. The manifest says that
    they are there from then on.

    Args:
        root: The folder; it is made if need be.
        settings: All that decides which files there are and what they hold, in types that JSON knows.
        overwrite: Delete a MiniCity that is there.

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
        found = _read(manifest)
        _check_same(manifest, found, wanted)
        if found.get(_ORACLE) or not wanted.get(_ORACLE):
            return
    write_json(manifest, wanted, indent=2)


def _check_vacant(root: Path) -> None:
    taken = [part for part in PARTS if (root / part).exists()]
    if taken:
        raise FileExistsError(
            f'{root / taken[0]} exists but {root / MANIFEST_NAME} does not: this is not a MiniCity. Choose another root'
        )


def _check_same(manifest: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    differing = [
        f'{key}: found {found.get(key)!r}, wanted {wanted.get(key)!r}'
        for key in {**wanted, **found}
        if key != _ORACLE and found.get(key) != wanted.get(key)
    ]
    if differing:
        raise FileExistsError(
            f'{manifest} describes another MiniCity ({", ".join(differing)}). '
            'Choose another root, or replace it with overwrite=True (--overwrite)'
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
            'Choose another root, or delete the file and the folders beside it'
        )
    return {'version': 1, **found}
