"""An HTML report on existing runs, by their work directories."""

import json
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample

from mmuda.checkpoints import latest_checkpoint
from mmuda.datasets import build_dataset
from mmuda.engine.inference import load_model, predict
from mmuda.engine.launch import find_plug_ins
from mmuda.visualization import RunSummary, collect_samples, read_scalars, training_folders, write_report
from mmuda.visualization.scalars import Curve

from .differences import BUDGET, differences_in
from .methods import Method

CONFIG = '*/vis_data/config.py'


def write_run_report(
    path: str | Path, work_dirs: Sequence[str | Path], pictures: int = 4, say: Callable[[str], None] = print
) -> Path:
    """Write one HTML page on trainings: their numbers, curves and predictions.

    If runs were trained for different numbers of iterations, notes on the page say so.

    Numbers come from the newest test of a run (``tools/test.py``), or else from its last validation. Curves come from
    its log, and predictions from its last checkpoint. Source-only and AdaBN are the baselines; an
    oracle is none.

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
    runs = [_summary(name, folder, configs[name]) for name, folder in zip(names, folders, strict=True)]
    cfg = configs[names[0]]
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    meta = DATASETS.build(dict(cfg.test_dataloader.dataset, lazy_init=True)).metainfo  # reads no file
    images = min((run.metrics['num_images'] for run in runs if 'num_images' in run.metrics), default=None)

    def predictions(name: str, folder: Path) -> Iterator[SegDataSample]:
        checkpoint = latest_checkpoint(folder)
        if checkpoint is None:
            raise FileNotFoundError(f'{folder} has no checkpoint to make pictures with')
        count = images or len(build_dataset(configs[name].test_dataloader.dataset))
        places = np.unique(np.linspace(0, count - 1, pictures).astype(int)).tolist()
        yield from predict(load_model(configs[name], checkpoint), configs[name], places)

    found = {name: predictions(name, folder) for name, folder in zip(names, folders, strict=True)}
    try:
        samples = collect_samples(found) if pictures else []
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{error}; without pictures: --pictures 0') from error
    title = f'{len(runs)} runs' if len(runs) > 1 else names[0]
    first = next((run.name for run in runs if run.baseline), names[0])
    notes = differences_in(BUDGET, dict(zip(names, map(_iterations, folders), strict=True)), first)
    for note in notes:
        say(f'warning: {note}')
    return write_report(path, title, runs, samples, meta['classes'], meta['palette'], '\n\n'.join(notes))


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


def _summary(name: str, folder: Path, cfg: Config) -> RunSummary:
    """Return the numbers and curves of a run."""
    curves = read_scalars(folder)
    tests = sorted((folder / 'test').glob('*.json'), key=lambda path: path.stat().st_mtime)
    contents = [(path, json.loads(path.read_text(encoding='utf-8'))) for path in tests]
    contents = [(path, content) for path, content in contents if 'confusion_matrix' in content]
    baseline = Method(name, folder, cfg).is_baseline
    if contents:
        path, metrics = contents[-1]
        return RunSummary(name, metrics, curves, f'test of {path.stem}', baseline)
    if 'mIoU' not in curves:
        raise FileNotFoundError(f'{folder} has neither a test (test/*.json) nor a validation: run tools/test.py first')
    return RunSummary(
        name, _last_validation(curves), curves, f'validation at iteration {curves["mIoU"][0][-1]}', baseline
    )


def _last_validation(curves: dict[str, Curve]) -> dict[str, Any]:
    """Return the last validation in the form of the JSON file of a test."""
    last = {name: values[-1] for name, (_, values) in curves.items() if values}
    means = {name: last[name] for name in last if name.startswith('mIoU') and '/' not in name}
    classes = {name.removeprefix('IoU/'): value for name, value in last.items() if name.startswith('IoU/')}
    known = {name: None if math.isnan(value) else value for name, value in classes.items()}
    return dict(protocols=means, per_class=dict(IoU=known), metrics=dict(aAcc=last.get('aAcc')))
