"""Manifest of a MiniCity: a JSON file with its settings, beside its files."""

import json
import shutil
from pathlib import Path
from typing import Any

from mmuda.files import write_json

from .layout import MANIFEST_NAME, PARTS

_GENERATOR = dict(generator='MiniCity')
_ORACLE = 'oracle_labels'
"""Setting: labels of the target training images, for an oracle. They change no other file, so they can come later."""


def claim_root(root: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Check that a folder is free for a MiniCity, or has one with the same settings, and write its manifest.

    The setting ``oracle_labels`` can differ: labels can be added to a MiniCity without them, which its manifest then
    records. Labels that exist are kept.

    Args:
        root: The folder, which is created if it does not exist.
        settings: All settings on which the files and their contents depend, in types that JSON can hold.
        overwrite: Delete an existing MiniCity.

    Raises:
        FileExistsError: If the folder has a MiniCity with other settings, or other data in the folders of MiniCity.
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
    """Read a manifest. If it has no version, it was written before there was a second one."""
    try:
        found = json.loads(manifest.read_text(encoding='utf-8'))
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get('generator') != _GENERATOR['generator']:
        raise FileExistsError(
            f'{manifest} is not a manifest of MiniCity (JSON with "generator": "MiniCity"). '
            'Choose another root, or delete this file and the folders source and target beside it'
        )
    return {'version': 1, **found}
