"""A training as a stage."""

import copy
import json
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmseg.registry import TASK_UTILS

from mmuda.engine.launch import build_runner
from mmuda.ranks import from_main

from .base import Stage
from .context import StagedRun
from .references import resolve

EVALUATION = ('val_', 'test_', 'tta_')
"""Top-level keys with these beginnings do not change weights."""
RUNTIME = {
    'runner_type',
    'default_hooks',
    'env_cfg',
    'log_level',
    'log_processor',
    'visualizer',
    'vis_backends',
    'launcher',
    'resume',
    'work_dir',
    'experiment_name',
}


@TASK_UTILS.register_module()
class TrainStage(Stage):
    """Train the config that names this stage, with some keys changed.

    The last checkpoint is evaluated with the config's ``val_evaluator`` and is what later stages mean by this stage's
    name in their ``weights``.

    Args:
        name: See :class:`Stage`.
        overrides: Changes to the config, merged as those of an inheriting config are (``_delete_=True`` replaces a
            dict). Strings like ``'{rank}/easy.txt'`` stand for files of earlier stages.
        weights: Where the network starts: an earlier training stage or a checkpoint file. By default as the config says
            (``load_from``, ``init_cfg``).
    """

    def __init__(self, name: str, overrides: dict | None = None, weights: str | None = None) -> None:
        super().__init__(name)
        self.overrides = overrides or {}
        self.weights = weights

    def config(self, run: StagedRun) -> Config:
        """The config of this training, references not resolved."""
        cfg = run.base_config()
        cfg.merge_from_dict(copy.deepcopy(dict(self.overrides)))
        cfg.runner_type = 'AdaptationRunner'
        return cfg

    def settings(self, run: StagedRun) -> dict[str, Any]:
        """The config without its evaluation and runtime."""
        kept = {
            key: value
            for key, value in self.config(run).items()
            if not key.startswith(EVALUATION) and key not in RUNTIME
        }
        kept['train_cfg'] = {
            key: value for key, value in kept.get('train_cfg', {}).items() if not key.startswith('val_')
        }
        return dict(kept, weights=self.weights)

    def files(self, run: StagedRun) -> set[str]:
        return {
            name for name in (self.weights or self.config(run).get('load_from'),) if name and name not in run.folders
        }

    def needs(self, run: StagedRun) -> set[str]:
        return super().needs(run) | run.named({self.weights})

    def prepare(self, run: StagedRun, cfg: Config) -> None:
        """Fill in what is only known when earlier stages are done; ``cfg`` has its references resolved."""

    def run(self, run: StagedRun, folder: Path, resume: bool) -> dict[str, Any]:
        """Train, or go on, and evaluate the last checkpoint."""
        cfg = self.config(run)
        cfg = Config(resolve(dict(cfg.items()), run.folders), filename=cfg.filename)
        self.prepare(run, cfg)
        if self.weights is not None:
            cfg.load_from = str(run.checkpoint(self.weights))
        metrics = folder / 'metrics.json'
        if is_main_process():
            metrics.unlink(missing_ok=True)  # of a validation before the interruption
        barrier()
        if cfg.get('val_evaluator') is not None:
            cfg.val_evaluator.json_file = str(metrics)
        name = f'{run.work_dir.name}-{self.name.replace("/", "-")}'
        cfg.update(work_dir=str(folder), launcher=run.launcher, resume=resume, experiment_name=name)
        runner = build_runner(cfg)
        runner.train()
        if runner.val_loop is not None and not from_main(metrics.is_file):
            runner.val()
        checkpoint = f'iter_{runner.max_iters}.pth'
        if not (folder / checkpoint).is_file():
            raise FileNotFoundError(
                f'stage {self.name!r} wrote no {checkpoint} to {folder}: default_hooks.checkpoint must '
                'save the last iteration'
            )
        result: dict[str, Any] = dict(checkpoint=checkpoint)
        if is_main_process() and metrics.is_file():
            result['metrics'] = json.loads(metrics.read_text(encoding='utf-8'))['metrics']
        return result
