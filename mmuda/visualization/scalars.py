"""The numbers that a training run logged."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

Curve = tuple[list[int], list[float]]
"""Steps, ascending, and the value at each."""

SCALARS = '*/vis_data/scalars.json'


def read_scalars(work_dir: str | Path) -> dict[str, Curve]:
    """Read what mmengine's ``LocalVisBackend`` wrote during a run and its resumed continuations.

    Each start of a run has its own folder, named by its time. They are merged by step; where two have a value for the
    same step, the newer one counts. The last line of a file may be torn, as the run may have been killed while writing.
    The timings of validation are left out: they have the names of the timings of training.

    Args:
        work_dir: Folder with ``<timestamp>/vis_data/scalars.json``.

    Returns:
        Steps, ascending, and values by name; NaN and infinite values as they are.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line other than the last is not a JSON object with a step.
    """
    files = sorted(Path(work_dir).glob(SCALARS), key=lambda path: path.parent.parent.name)
    if not files:
        raise FileNotFoundError(
            f'no file {SCALARS} under {work_dir}: give the work_dir of a run that has logged at '
            'least once and has LocalVisBackend among its vis_backends'
        )
    found: dict[str, dict[int, float]] = {}
    for path in files:
        for record in _records(path):
            step = record['step']
            timings = () if 'iter' in record else ('time', 'data_time')
            for name, value in record.items():
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                if number and name not in ('step', 'iter', 'epoch', *timings):
                    found.setdefault(name, {})[step] = float(value)
    return {name: _curve(values) for name, values in found.items()}


def training_folders(path: str | Path) -> list[Path]:
    """Return the work dirs of trainings at or below a folder, in the order of their names.

    Raises:
        FileNotFoundError: If there is none.
    """
    found = sorted({file.parents[2] for file in Path(path).rglob(SCALARS)})
    if not found:
        raise FileNotFoundError(f'no file {SCALARS} under {path}: give the work_dir of a run, or a folder of several')
    return found


def _curve(values: Mapping[int, float]) -> Curve:
    """Values by step as two lists in the order of the steps."""
    steps = sorted(values)
    return steps, [values[step] for step in steps]


def _records(path: Path) -> Iterable[dict]:
    """The JSON objects of a file, less a torn last one."""
    lines = path.read_bytes().rstrip().split(b'\n')
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            if number == len(lines):
                return
            raise ValueError(f'{path}, line {number} is not JSON: {line[:60]!r}; delete the line') from None
        if not isinstance(record, dict) or not isinstance(record.get('step'), int):
            raise ValueError(
                f'{path}, line {number} must be a JSON object with a whole number "step", not '
                f'{line[:60]!r}; delete the line'
            )
        yield record
