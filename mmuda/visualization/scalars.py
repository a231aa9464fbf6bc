"""The scalars that a training run logged."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

Curve = tuple[list[int], list[float]]
"""Steps in ascending order, and the value at each step."""

SCALARS = '*/vis_data/scalars.json'


def read_scalars(work_dir: str | Path) -> dict[str, Curve]:
    """Return the scalars that mmengine's ``LocalVisBackend`` wrote during a run, with all of its resumes.

    Each start of a run has a folder, named after its time. The folders are merged by step: if several have a value for
    a step, the newest value counts. An incomplete last line of a file is ignored, because the run can have been killed
    while it wrote it. Timings of validations are left out, because they have the names of the timings of training.

    Args:
        work_dir: Folder with ``<timestamp>/vis_data/scalars.json``.

    Returns:
        The curve of each scalar by name: steps in ascending order, and values, which can be NaN or infinite.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line other than the last is not a JSON object with a step.
    """
    files = sorted(Path(work_dir).glob(SCALARS), key=lambda path: path.parent.parent.name)
    if not files:
        raise FileNotFoundError(
            f'no file {SCALARS} under {work_dir}: give the work_dir of a run that has logged at '
            'least once, with LocalVisBackend in its vis_backends'
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
    """Return the work dirs of all training runs at or below a folder, sorted by name.

    Raises:
        FileNotFoundError: If there are none.
    """
    found = sorted({file.parents[2] for file in Path(path).rglob(SCALARS)})
    if not found:
        raise FileNotFoundError(f'no file {SCALARS} under {path}: give the work_dir of a run, or a folder of several')
    return found


def _curve(values: Mapping[int, float]) -> Curve:
    """Return values by step as two lists in the order of the steps."""
    steps = sorted(values)
    return steps, [values[step] for step in steps]


def _records(path: Path) -> Iterable[dict]:
    """Yield the JSON objects of a file, one for each line; an incomplete last line is ignored."""
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
