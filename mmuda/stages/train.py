"""The stage that trains a network."""

import copy
import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmuda.engine.launch import build_runner, metrics_with
from mmuda.engine.run_settings import deciding_settings
from mmuda.ranks import from_main
from mmuda.registry import STAGES

from .base import Stage
from .context import StageContext
from .inference import outside_files


@STAGES.register_module()
class TrainStage(Stage):
    """Stage that trains the config of the run with some keys changed.

    The last checkpoint is evaluated with the ``val_evaluator`` of the config. Later stages get it as
    ``weights='{name}'``.

    Args:
        name: See :class:`Stage`.
        overrides: Changes to the config, merged like those of an inheriting config. ``_replace_=True`` in a dict
            replaces that dict of the config. (mmengine's ``_delete_=True`` does the same, but it is lost if an
            inheriting config changes the stage.) Strings like ``'{rank}/easy.txt'`` refer to files of earlier stages.
        weights: Initial weights: ``'{stage}'`` of an earlier training, or a checkpoint file. By default those of the
            config (``load_from``, ``init_cfg``).
    """

    def __init__(self, name: str, overrides: dict | None = None, weights: str | None = None) -> None:
        super().__init__(name)
        self.overrides = overrides or {}
        self.weights = weights

    def config(self, ctx: StageContext) -> Config:
        """Return the config of this training, with references not yet resolved to paths."""
        return overridden(ctx, self.overrides)

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return the config without the keys of evaluation and runtime, and the initial weights."""
        return dict(deciding_settings(self.config(ctx)), weights=self.weights)

    def inputs(self, ctx: StageContext) -> set[str]:
        """Return also the file of the initial weights in the config."""
        start = self.config(ctx).get('load_from') if self.weights is None else None
        return super().inputs(ctx) | outside_files(start)

    def files(self, folder: Path, result: dict[str, Any]) -> list[str]:
        """Return the last checkpoint."""
        return [result['checkpoint']]

    def prepare(self, ctx: StageContext, cfg: Config) -> None:
        """Set keys of ``cfg`` whose values depend on results of earlier stages. References in it are paths already."""

    def execute(self, ctx: StageContext, folder: Path, resume: bool) -> dict[str, Any]:
        """Train, or continue training, and evaluate the last checkpoint."""
        cfg = self.config(ctx)
        cfg = Config(ctx.resolve(dict(cfg.items())), filename=cfg.filename)
        self.prepare(ctx, cfg)
        if self.weights is not None:
            cfg.load_from = str(ctx.checkpoint(self.weights))
        metrics = folder / 'metrics.json'
        from_main(lambda: metrics.unlink(missing_ok=True))  # left by a validation before the interruption
        written = metrics_with(cfg.get('val_evaluator'), 'json_file')[:1]
        for metric in written:
            metric['json_file'] = str(metrics)
        name = f'{ctx.work_dir.name}-{self.name.replace("/", "-")}'
        cfg.update(work_dir=str(folder), launcher=ctx.launcher, resume=resume, experiment_name=name)
        runner: Any = build_runner(cfg)
        runner.settings = self.settings(ctx)  # with references instead of paths, so that the run can be moved
        runner.all_allowed = False  # a key in resume_allow can belong to another stage
        runner.train()
        if written and runner.val_loop is not None and not from_main(metrics.is_file):
            runner.val()
        checkpoint = f'iter_{runner.max_iters}.pth'
        if not (folder / checkpoint).is_file():
            raise FileNotFoundError(
                f'stage {self.name!r} wrote no {checkpoint} to {folder}: default_hooks.checkpoint must '
                'save the last iteration'
            )
        result: dict[str, Any] = dict(checkpoint=checkpoint)
        found = from_main(lambda: _metrics_of(metrics))
        return result if found is None else dict(result, metrics=found)


def _metrics_of(file: Path) -> dict[str, float] | None:
    return json.loads(file.read_text(encoding='utf-8'))['metrics'] if file.is_file() else None


def overridden(ctx: StageContext, overrides: dict) -> Config:
    """Return the config of the run with the overrides of a stage merged into it."""
    cfg = ctx.base_config()
    cfg.merge_from_dict(_with_delete(overrides))
    cfg.runner_type = 'AdaptationRunner'
    return cfg


def _with_delete(node: Any) -> Any:
    """Return a copy of overrides with mmengine's key for replacing a dict."""
    if isinstance(node, dict):
        return {('_delete_' if key == '_replace_' else key): _with_delete(value) for key, value in node.items()}
    return [_with_delete(value) for value in node] if isinstance(node, list) else copy.deepcopy(node)
