"""The stages of a paper, each with a few images: every stage gets what the dry ones before it have made."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmuda.checks.building import one_line
from mmuda.stages import RoundStage, Stage, StageContext, TrainStage, build_stages, make_context
from mmuda.stages.building import needs
from mmuda.stages.references import stage_of

from .datasets import build_unchecked
from .dry_run import CHECKPOINT, Measured, dry_training, first_images, free_memory

IMAGES = 4
"""Images of a stage that is no training, at least."""

_ROUND = re.compile(r'/[1-9]\d*/')


@dataclass(frozen=True)
class Tried:
    """Result of a dry stage.

    Attributes:
        name: Name of the stage.
        kind: Its class.
        measured: Figures of a training.
        config: Config of a training, in its full length.
        seconds: Seconds of another stage for each image.
        images: Images that it will have; if an earlier stage chooses some, those that it chooses from.
        chosen: Whether an earlier stage chooses them.
        labels: Whether it writes a label for each image.
        like: Name of the stage of an earlier round, whose figures it has.
        reason: Why it was not tried; empty if it was.
        failed: Whether it was tried and ended with an error that has to do with no stand-in.
    """

    name: str
    kind: str
    measured: Measured | None = None
    config: Config | None = None
    seconds: float = 0.0
    images: int = 0
    chosen: bool = False
    labels: bool = False
    like: str = ''
    reason: str = ''
    failed: bool = False


def try_stages(cfg: Config, folder: Path) -> Iterator[Tried]:
    """Execute all stages of a config in small, as :class:`StagedRunner` does, in a temporary folder.

    A training runs a few iterations with one pair, another stage looks at a few images. Weights, lists and labels of
    earlier stages are those that the dry ones have just made. Later rounds are not tried again.

    Args:
        cfg: Config with stages.
        folder: Empty folder for everything that the stages write.
    """
    cfg = Config(dict(cfg.items()), filename=cfg.filename)
    cfg.work_dir = str(folder)
    stages = build_stages(cfg)
    context = make_context(cfg, stages)
    done: dict[str, Tried] = {}
    for stage in stages:
        result = _try(stage, context, done)
        if not result.reason:
            done[stage.name] = result
        yield result


def _try(stage: Stage, context: StageContext, done: dict[str, Tried]) -> Tried:
    kind = type(stage).__name__
    first = _ROUND.sub('/0/', stage.name)
    if first != stage.name and first in done:
        known = done[first]
        return Tried(**{**vars(known), 'name': stage.name, 'like': first})
    missing = [name for name in needs(stage, context) if name not in done or done[name].like]
    if missing:
        return Tried(stage.name, kind, reason=f'it needs results of {", ".join(missing)}')
    folder = context.folders[stage.name]
    folder.mkdir(parents=True)
    try:
        if isinstance(stage, TrainStage):
            result, made = _train(stage, context, folder, done)
        else:
            result, made = _execute(stage, context, folder)
    except NotImplementedError as error:
        return Tried(stage.name, kind, reason=str(error))
    except Exception as error:  # of any component
        return Tried(stage.name, kind, reason=one_line(error), failed=not needs(stage, context))
    context.ledger.begin(stage.name, {}, {})
    context.ledger.finish(stage.name, made, 0.0)
    return result


def _train(
    stage: TrainStage, context: StageContext, folder: Path, done: dict[str, Tried]
) -> tuple[Tried, dict[str, Any]]:
    cfg = stage.config(context)
    cfg = Config(context.resolve(dict(cfg.items())), filename=cfg.filename)
    stage.prepare(context, cfg)
    if stage.weights is not None:
        cfg.load_from = str(context.checkpoint(stage.weights))
    measured = dry_training(cfg, folder)
    if isinstance(stage, RoundStage):
        cfg.train_cfg.max_iters = cfg.train_cfg.val_interval = _iterations(stage, cfg, done)
    return Tried(stage.name, type(stage).__name__, measured, cfg), dict(checkpoint=CHECKPOINT)


def _iterations(stage: RoundStage, cfg: Config, done: dict[str, Tried]) -> int:
    """Return the length of a round with all of its images, where the dry one has labels for a few."""
    loader = cfg.train_dataloader
    labelled = done[str(stage_of(stage.labels))].images
    return stage.epochs * max((len(loader.dataset.source.indices) + labelled) // loader.batch_size, 1)


def _execute(stage: Any, context: StageContext, folder: Path) -> tuple[Tried, dict[str, Any]]:
    settings = stage.settings(context)
    if not isinstance(settings.get('dataset'), dict) or not hasattr(stage, 'dataset'):
        raise NotImplementedError('a stage without a data set of its own may take long')
    total = len(build_unchecked(context.resolve(settings['dataset'])))
    stage.dataset = dict(settings['dataset'])
    first_images(stage.dataset, max(IMAGES, 2 * context.base_config().train_dataloader.get('batch_size', 1)))
    start = time.perf_counter()
    made = stage.execute(context, folder, False)
    seconds = (time.perf_counter() - start) / len(stage.dataset['indices'])
    free_memory()
    labels = any(folder.rglob('manifest.json'))
    chosen = bool(settings.get('images'))
    return Tried(stage.name, type(stage).__name__, None, None, seconds, total, chosen, labels), made
