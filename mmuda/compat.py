"""What must be installed beside mmuda, said in one clear error when it is not."""
import io
import warnings
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Dict, Iterator, Tuple

from packaging.version import Version

SUPPORTED: Dict[str, Tuple[str, str, str]] = {
    'torch': ('2.6', '2.14', 'torch'),
    'mmengine': ('0.10.7', '0.11', 'onedl-mmengine'),
    'mmcv': ('2.1.0', '2.4', 'onedl-mmcv'),
    'mmseg': ('1.2.2', '1.5', 'onedl-mmsegmentation'),
}
"""Import name: lowest tested version, first version that is too new, distribution that requirements/runtime.txt installs.

The lowest versions are OpenMMLab's own, the distributions start higher. Before PyTorch 2.6 a file can run code although only its
weights are read (CVE-2025-32434); builds on the way to 2.6 (``2.6.0a0``) may lack the remedy and are refused, too."""


def check_dependencies() -> None:
    """Check the packages that mmuda plugs into.

    Raises:
        ImportError: If one is missing or out of the tested range.
    """
    problems = []
    for name, (lowest, limit, distribution) in SUPPORTED.items():
        try:
            version = import_module(f'{name}.version').__version__
        except ImportError as error:
            problems.append(f'{name} cannot be imported ({error})')
            continue
        if not Version(lowest) <= Version(version) < Version(limit):
            problems.append(f'{name} is {version}')
    if problems:
        wanted = ' '.join(f'"{distribution}>={lowest},<{limit}"' for lowest, limit, distribution in SUPPORTED.values())
        raise ImportError(f'mmuda needs other versions: {"; ".join(problems)}. Install them with\n  pip install {wanted}')


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Import mmseg without what it says about optional packages that mmuda never uses.

    mmcv without compiled operators warns about one of them, and mmseg prints twice that OneDL is missing.
    """
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
        yield
