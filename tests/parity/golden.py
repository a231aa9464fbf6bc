"""How the golden checks find the stored numbers of the original implementations.

The folder is `MMUDA_GOLDEN_DIR` (default: `tests/data/golden`), one sub-folder per method family. Files are found
by prefix, so another set of cases in the same format runs without a change here.
"""

import os
from pathlib import Path

import numpy as np
import pytest

SHIPPED_DIR = Path(__file__).parents[1] / 'data' / 'golden'
GOLDEN_DIR = Path(os.environ.get('MMUDA_GOLDEN_DIR') or SHIPPED_DIR)


def golden_files(family: str, prefix: str, folder: Path = GOLDEN_DIR) -> list:
    """One pytest parameter for each `<family>/<prefix>*.npz`, its id being `family/stem`.

    A family without a file gives one parameter that makes :func:`load` fail: nothing is skipped in silence. Checks of
    how much the files cover, which another set of cases need not pass, give `folder=SHIPPED_DIR`.
    """
    found = sorted((folder / family).glob(f'{prefix}*.npz'))
    if not found:
        return [pytest.param(folder / family / f'{prefix}*.npz', id=f'{family}/{prefix}-missing')]
    return [pytest.param(path, id=f'{family}/{path.stem}') for path in found]


def golden_cases(files: list, suffix: str) -> list:
    """One parameter (path, case) for each key `<case>/<suffix>` of each file."""
    cases = []
    for file in files:
        (path,) = file.values
        keys = load(path) if path.is_file() else ()
        # A file without a case, or that is not there, fails as the case that it does not have.
        names = sorted(key[: -len(suffix) - 1] for key in keys if key.endswith(f'/{suffix}')) or ['missing']
        cases += [pytest.param(path, name, id=f'{file.id}-{name}') for name in names]
    return cases


def load(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a golden file, by key."""
    if not path.is_file():
        pytest.fail(f'no golden file matches {path}: copy the family there or set MMUDA_GOLDEN_DIR')
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def section(data: dict[str, np.ndarray], prefix: str, optional: bool = False) -> dict[str, np.ndarray]:
    """The arrays below `prefix/`, without the prefix; there are some, unless the section is optional."""
    start = prefix.rstrip('/') + '/'
    found = {key[len(start) :]: value for key, value in data.items() if key.startswith(start)}
    if not found and not optional:
        pytest.fail(f'the golden file has nothing below {start}')
    return found


def steps(data: dict[str, np.ndarray], count: str = 'num_steps') -> range:
    """The numbers of what a file holds so many times as `count` says; there is at least one."""
    if not scalar(data, count):
        pytest.fail(f'nothing to compare: {count} of the golden file is {scalar(data, count)}')
    return range(scalar(data, count))


def cases(data: dict[str, np.ndarray]) -> list[tuple[int, dict[str, np.ndarray]]]:
    """The sections `case0`, `case1`, ... with their numbers; there is at least one."""
    return [(i, section(data, f'case{i}')) for i in steps(data, 'num_cases')]


def scalar(data: dict[str, np.ndarray], key: str, default: object | None = None):
    """A 0-d entry as a Python value."""
    return data[key].item() if key in data else default
