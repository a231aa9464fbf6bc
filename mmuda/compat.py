"""Versions of the packages that mmuda extends. A too old one is an error; one newer than tested is a warning."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import NamedTuple

from packaging.version import Version


class Tested(NamedTuple):
    """Versions of one package.

    Attributes:
        lowest: Lowest allowed version.
        newest: Newest release series that the tests have passed with. ``2.15`` stands for all versions 2.15.x.
        distribution: Name of the package for pip.
    """

    lowest: str
    newest: str
    distribution: str


TESTED: dict[str, Tested] = {
    'torch': Tested('2.6', '2.15', 'torch'),
    'mmengine': Tested('0.10.7', '0.10', 'onedl-mmengine'),
    'mmcv': Tested('2.1.0', '2.3', 'onedl-mmcv'),
    'mmseg': Tested('1.2.2', '1.4', 'onedl-mmsegmentation'),
}
"""Tested versions by import name.

The lowest versions of mmengine, mmcv and mmseg are releases of OpenMMLab; the onedl distributions start with higher
versions. Before PyTorch 2.6, a file can run code even with ``weights_only=True`` (CVE-2025-32434). Development builds
of 2.6 (``2.6.0a0``) may lack the correction and count as older."""


def check_dependencies() -> None:
    """Check the versions of the packages that mmuda extends.

    Versions newer than the tested ones give one warning with the tested range.

    Raises:
        ImportError: If a package is missing or too old.
    """
    problems, newer = [], []
    for name, tested in TESTED.items():
        try:
            version = import_module(f'{name}.version').__version__
        except ImportError as error:
            problems.append(f'{name} cannot be imported ({error})')
            continue
        if Version(version) < Version(tested.lowest):
            problems.append(f'{name} {version} is too old')
        elif is_newer(version, tested):
            newer.append((name, version))
    if problems:
        wanted = ' '.join(f'"{tested.distribution}>={tested.lowest}"' for tested in TESTED.values())
        raise ImportError(
            f'mmuda needs other packages: {"; ".join(problems)}. Install them with\n  pip install {wanted}'
        )
    if newer:
        told = ', '.join(
            f'{name} {version} (tested: {TESTED[name].lowest} to {TESTED[name].newest})' for name, version in newer
        )
        wanted = ' '.join(f'"{TESTED[name].distribution}=={TESTED[name].newest}.*"' for name, _ in newer)
        warnings.warn(
            f'mmuda was not tested with {told}. If something fails, install tested versions with\n'
            f'  pip install {wanted}',
            stacklevel=3,
        )


def is_newer(version: str, tested: Tested) -> bool:
    """Return whether a version is of a newer release series than the tested ones."""
    return _series(version, tested.newest) > Version(tested.newest)


def _series(version: str, newest: str) -> Version:
    """Return a version cut to as many numbers as the newest tested one has: 2.13.1 belongs to the series 2.13."""
    return Version('.'.join(map(str, Version(version).release[: newest.count('.') + 1])))


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Suppress the messages of mmseg and mmcv at their import about optional packages that mmuda never uses.

    mmcv without compiled operators warns about one of them, and mmseg prints twice that OneDL is missing.
    """
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
        yield
