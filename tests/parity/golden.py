"""Access to the golden files, which hold values of the original implementations.

The files are in `MMUDA_GOLDEN_DIR` (default: `tests/data/golden`), in one subfolder for each family of methods. They
are found by prefix, so that other cases in the same format need no change here.
"""

import os
from pathlib import Path

import numpy as np
import pytest

SHIPPED_DIR = Path(__file__).parents[1] / 'data' / 'golden'
GOLDEN_DIR = Path(os.environ.get('MMUDA_GOLDEN_DIR') or SHIPPED_DIR)


def golden_files(family: str, prefix: str, folder: Path = GOLDEN_DIR) -> list:
    """Return a pytest parameter for each `<family>/<prefix>*.npz`, with the id `family/stem`.

    Without such a file, the only parameter makes :func:`load` fail, so that no check is skipped silently. Checks of the
    contents of the shipped files use `folder=SHIPPED_DIR`, since other files need not have the same contents.
    """
    found = sorted((folder / family).glob(f'{prefix}*.npz'))
    if not found:
        return [pytest.param(folder / family / f'{prefix}*.npz', id=f'{family}/{prefix}-missing')]
    return [pytest.param(path, id=f'{family}/{path.stem}') for path in found]


def golden_cases(files: list, suffix: str) -> list:
    """Return a pytest parameter (path, case) for each key `<case>/<suffix>` of each file."""
    cases = []
    for file in files:
        (path,) = file.values
        keys = load(path) if path.is_file() else ()
        # A missing file, or a file without cases, gets a case that fails.
        names = sorted(key[: -len(suffix) - 1] for key in keys if key.endswith(f'/{suffix}')) or ['missing']
        cases += [pytest.param(path, name, id=f'{file.id}-{name}') for name in names]
    return cases


def load(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays of a golden file by their keys."""
    if not path.is_file():
        pytest.fail(f'no golden file matches {path}: copy the family there or set MMUDA_GOLDEN_DIR')
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def section(data: dict[str, np.ndarray], prefix: str, optional: bool = False) -> dict[str, np.ndarray]:
    """Return the arrays below `prefix/`, without the prefix. An empty section fails unless it is optional."""
    start = prefix.rstrip('/') + '/'
    found = {key[len(start) :]: value for key, value in data.items() if key.startswith(start)}
    if not found and not optional:
        pytest.fail(f'the golden file has nothing below {start}')
    return found


def steps(data: dict[str, np.ndarray], count: str = 'num_steps') -> range:
    """Return the range of the number stored under `count`, which must not be zero."""
    if not scalar(data, count):
        pytest.fail(f'nothing to compare: {count} of the golden file is {scalar(data, count)}')
    return range(scalar(data, count))


def cases(data: dict[str, np.ndarray]) -> list[tuple[int, dict[str, np.ndarray]]]:
    """Return the numbers and sections of `case0`, `case1`, ... There is at least one."""
    return [(i, section(data, f'case{i}')) for i in steps(data, 'num_cases')]


def scalar(data: dict[str, np.ndarray], key: str, default: object | None = None):
    """Return a 0-d entry as a Python value."""
    return data[key].item() if key in data else default
