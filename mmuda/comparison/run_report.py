"""An HTML report on existing runs, by their work directories."""

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample

from mmuda.checkpoints import latest_checkpoint
from mmuda.datasets import build_dataset
from mmuda.engine.inference import load_model, predict
from mmuda.engine.launch import find_plug_ins
from mmuda.evaluation.result_files import PLAIN, newest_results
from mmuda.visualization import RunSummary, collect_samples, read_scalars, training_folders, write_report
from mmuda.visualization.scalars import Curve

from .differences import BUDGET, differences_in
from .methods import Method

CONFIG = '*/vis_data/config.py'


class _Row(NamedTuple):
    """A row of the report: a run as it was tested.

    Attributes:
        run: Name of the run.
        summary: Its numbers, and its curves in the first row of the run.
        checkpoint: Checkpoint for pictures; None if there are none.
    """

    run: str
    summary: RunSummary
    checkpoint: str | Path | None


def write_run_report(
    path: str | Path, work_dirs: Sequence[str | Path], pictures: int = 4, say: Callable[[str], None] = print
) -> Path:
    """Write one HTML page on trainings: their numbers, curves and predictions.

    If runs were trained for different numbers of iterations, notes on the page say so.

    Numbers come from the newest test of a run (``tools/test.py``), or else from its last validation. Tests with
    batch-norm statistics of the target, with test-time augmentation, of an ensemble and of another network such as
    the teacher are rows of their own, with names that say so. Gains are differences of results with the same
    statistics and the same augmentation. Tests on other images (``--on``) are left out. Curves come from the log,
    and predictions from the last checkpoint, or from the one that a test with statistics of the target has written.
    Source-only and AdaBN are the baselines; an oracle is none.

    Args:
        path: File to write.
        work_dirs: Work directories of trainings, or folders that contain several.
        pictures: Number of test images to show; each is segmented by all runs now.
        say: Function that shows each note to the user.

    Returns:
        The path.

    Raises:
        FileNotFoundError: If a folder holds no training, if a training has neither a test nor a validation, or, with
            pictures, if a checkpoint or the images are missing.
    """
    folders = list(dict.fromkeys(folder for work_dir in work_dirs for folder in training_folders(work_dir)))
    names = _names(folders)
    configs = {name: _config(folder) for name, folder in zip(names, folders, strict=True)}
    rows = [
        row for name, folder in zip(names, folders, strict=True) for row in _rows(name, folder, configs[name], pictures)
    ]
    runs = [row.summary for row in rows]
    cfg = configs[names[0]]
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    meta = DATASETS.build(dict(cfg.test_dataloader.dataset, lazy_init=True)).metainfo  # reads no file
    images = min((run.metrics['num_images'] for run in runs if 'num_images' in run.metrics), default=None)

    def predictions(row: _Row, checkpoint: str | Path) -> Iterator[SegDataSample]:
        network = configs[row.run]
        count = images or len(build_dataset(network.test_dataloader.dataset))
        places = np.unique(np.linspace(0, count - 1, pictures).astype(int)).tolist()
        yield from predict(load_model(network, checkpoint), network, places)

    found = {row.summary.name: predictions(row, row.checkpoint) for row in rows if row.checkpoint is not None}
    try:
        samples = collect_samples(found) if pictures else []
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{error}; without pictures: --pictures 0') from error
    title = f'{len(folders)} runs' if len(folders) > 1 else names[0]
    first = next((row.run for row in rows if row.summary.baseline), names[0])
    notes = differences_in(BUDGET, dict(zip(names, map(_iterations, folders), strict=True)), first)
    notes += _without_partner(runs)
    for note in notes:
        say(f'warning: {note}')
    note = '\n\n'.join(f'Note: {note}' for note in notes)
    return write_report(path, title, runs, samples, meta['classes'], meta['palette'], note)


def _without_partner(runs: Sequence[RunSummary]) -> list[str]:
    """Return one warning for each result that no baseline is comparable with, although there are baselines."""
    tested = {run.procedure for run in runs if run.baseline}
    return [
        f'{run.name} has no gain: no baseline was tested in the same way. Test one with '
        f'tools/test.py CONFIG CHECKPOINT --batch-norm {run.statistics}{" --tta" * run.tta}'
        for run in runs
        if tested and run.procedure not in tested
    ]


def _iterations(folder: Path) -> int | None:
    """Return the number of iterations after which a training wrote its last checkpoint; None if it is not known."""
    name = Path(latest_checkpoint(folder) or '').stem
    found = re.fullmatch(r'iter_(\d+)', name)
    return None if found is None else int(found[1])


def _names(folders: Sequence[Path]) -> list[str]:
    """Return short names: the paths relative to the deepest folder that contains all of them."""
    whole = [folder.resolve() for folder in folders]
    common = os.path.commonpath([folder.parent for folder in whole])
    return [folder.relative_to(common).as_posix() for folder in whole]


def _config(folder: Path) -> Config:
    """Return the config that the newest start of a training has written to its work directory."""
    found = sorted(folder.glob(CONFIG), key=lambda path: path.parts[-3])
    if not found:
        raise FileNotFoundError(f'no file {CONFIG} under {folder}: LocalVisBackend writes it when a training starts')
    find_plug_ins(found[-1])
    return Config.fromfile(found[-1])


def _rows(name: str, folder: Path, cfg: Config, pictures: int) -> list[_Row]:
    """Return the results of a run: each kind of test, and the last validation if there is no plain test.

    Raises:
        FileNotFoundError: If there is neither a test nor a validation, or, with pictures, no checkpoint.
    """
    curves = read_scalars(folder)
    last = latest_checkpoint(folder)
    method = Method(name, folder, cfg)
    baseline, oracle = method.is_baseline, method.is_oracle
    results = newest_results(folder)
    rows = []
    if PLAIN not in results and 'mIoU' in curves:
        note = f'validation at iteration {curves["mIoU"][0][-1]}'
        summary = RunSummary(name, _last_validation(curves), curves, note, baseline, PLAIN.statistics, oracle=oracle)
        rows.append(_Row(name, summary, last))
    for kind, (path, content) in results.items():
        summary = RunSummary(
            name + kind.title,
            content,
            {} if rows else curves,
            f'test of {path.stem}',
            baseline and not kind.network,
            kind.statistics,
            kind.tta,
            oracle,
        )
        copy = path.with_suffix('.pth')  # written by a test with statistics of the target
        own = last if kind == PLAIN else copy if kind.statistics == 'target' and copy.is_file() else None
        rows.append(_Row(name, summary, own))
    if not rows:
        raise FileNotFoundError(f'{folder} has neither a test (test/*.json) nor a validation: run tools/test.py first')
    if pictures and last is None:
        raise FileNotFoundError(f'{folder} has no checkpoint to make pictures with; without pictures: --pictures 0')
    return rows


def _last_validation(curves: dict[str, Curve]) -> dict[str, Any]:
    """Return the last validation in the form of the JSON file of a test."""
    last = {name: values[-1] for name, (_, values) in curves.items() if values}
    means = {name: last[name] for name in last if name.startswith('mIoU') and '/' not in name}
    classes = {name.removeprefix('IoU/'): value for name, value in last.items() if name.startswith('IoU/')}
    known = {name: None if math.isnan(value) else value for name, value in classes.items()}
    return dict(protocols=means, per_class=dict(IoU=known), metrics=dict(aAcc=last.get('aAcc')))
