"""Dry runs of the stages of a config (:class:`mmuda.stages.Stage`), each with a few images.

Each stage uses the results of the dry stages before it.
"""

import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmuda.checks.finding import one_line
from mmuda.checks.values import whole
from mmuda.stages import RoundStage, Stage, StageContext, TrainStage, build_stages, make_context
from mmuda.stages.building import needs
from mmuda.stages.references import stage_of

from .dry_run import CHECKPOINT, Measured, NotTried, dry_training, first_images, free_memory
from .pairs import build_unchecked, kept_images
from .rows import ERROR, SKIPPED, WARNING

IMAGES = 4
"""Least number of images in the shorter of two dry runs of a stage that is not a training."""

_ROUND = re.compile(r'/[1-9]\d*/')


@dataclass(frozen=True)
class Tried:
    """Result of a dry stage.

    Attributes:
        name: Name of the stage.
        measured: Figures of a training; None for another stage.
        config: Config of a training in its full length; None for another stage.
        seconds: Seconds for each image, for a stage that is not a training.
        images: Number of images in the full run. If an earlier stage selects some, the number that it selects from.
        chosen: Whether an earlier stage selects the images.
        labels: Whether the stage writes a label for each image.
        like: Name of the same stage in the first round, if the figures are taken from it; else empty.
        reason: Reason why there are no figures; empty if there are.
        verdict: SKIPPED if the stage was not tried, ERROR if it failed with an error of its own, WARNING if the small
            results of the dry stages before it may have caused its error.
    """

    name: str
    measured: Measured | None = None
    config: Config | None = None
    seconds: float = 0.0
    images: int = 0
    chosen: bool = False
    labels: bool = False
    like: str = ''
    reason: str = ''
    verdict: str = SKIPPED


def try_stages(cfg: Config, folder: Path) -> Iterator[Tried]:
    """Execute all stages of a config with few images, as :class:`StagedRunner` does, and yield their results.

    A training runs a few iterations with one pair, and another stage processes a few images. Weights, lists and labels
    of earlier stages are those of their dry runs. Only the first of several rounds is tried.

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
    first = _ROUND.sub('/0/', stage.name)
    if first != stage.name and first in done:
        known = done[first]
        return Tried(**{**vars(known), 'name': stage.name, 'like': first})
    missing = [name for name in needs(stage, context) if name not in done or done[name].like]
    if missing:
        return Tried(stage.name, reason=f'it needs results of {", ".join(missing)}')
    folder = context.folders[stage.name]
    folder.mkdir(parents=True)
    try:
        if isinstance(stage, TrainStage):
            result, made = _train(stage, context, folder, done)
        else:
            result, made = _execute(stage, context, folder)
    except NotTried as error:
        return Tried(stage.name, reason=str(error))
    except Exception as error:  # a component can raise anything
        reason, own = one_line(error), _is_own(error, stage, context)
        # The frames of the traceback hold tensors of the stage, which must be freed.
        error.__traceback__ = None
        free_memory()
        return Tried(stage.name, reason=reason, verdict=ERROR if own else WARNING)
    context.ledger.begin(stage.name, {}, {})
    context.ledger.finish(stage.name, made, 0.0)
    return result


def _is_own(error: Exception, stage: Stage, context: StageContext) -> bool:
    """Return whether the stage itself caused an error. Otherwise the small results of dry stages can be the cause."""
    return (
        isinstance(error, MemoryError)
        or is_about_memory(str(error))
        or isinstance(stage, TrainStage)
        or not needs(stage, context)
    )


def is_about_memory(message: str) -> bool:
    """Return whether the message of an error is about too little memory."""
    return any(words in message for words in ('out of memory', "can't allocate memory"))


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
    return Tried(stage.name, measured, cfg), dict(checkpoint=CHECKPOINT)


def _iterations(stage: RoundStage, cfg: Config, done: dict[str, Tried]) -> int:
    """Return the iterations of a round with all of its images, of which the dry round has labels for only a few."""
    loader = cfg.train_dataloader
    labelled = done[str(stage_of(stage.labels))].images
    return stage.epochs * max((len(loader.dataset.source.indices) + labelled) // loader.batch_size, 1)


def _execute(stage: Any, context: StageContext, folder: Path) -> tuple[Tried, dict[str, Any]]:
    settings = stage.settings(context)
    if not isinstance(settings.get('dataset'), dict) or not hasattr(stage, 'dataset'):
        raise NotTried('a stage without a data set of its own cannot be cut to a few images')
    images = context.resolve(settings['dataset'])
    kept = kept_images(images)
    total = len(build_unchecked(images)) if kept is None else len(kept)
    more = min(2 * max(IMAGES, 2 * context.base_config().train_dataloader.get('batch_size', 1)), total)
    chosen = bool(settings.get('images'))
    # A list of an earlier stage can name any image, so a second run with fewer images could lack some of them.
    fewer = 0 if chosen else min((more + 1) // 2, more - 1)
    given = dict(settings['dataset'])
    less = 0.0
    if fewer:
        with tempfile.TemporaryDirectory(dir=context.work_dir) as other:
            less, _ = _timed(stage, context, Path(other), _first(given, images, fewer))
    seconds, made = _timed(stage, context, folder, _first(given, images, more))
    # Work that does not depend on the number of images, such as loading the network, cancels out in the difference.
    each = (seconds - less) / (more - fewer)
    each = each if each > 0 else seconds / more
    sample = settings.get('sample')
    total = min(sample, total) if whole(sample) else total
    free_memory()
    labels = any(folder.rglob('manifest.json'))
    return Tried(stage.name, None, None, each, total, chosen, labels), made


def _first(given: dict, images: dict, count: int) -> dict:
    """Return the config of a data set with only its first images. References to files of stages stay as they are.

    Args:
        given: The config.
        images: The same config with files in place of its references.
        count: Number of images.
    """
    few = dict(images)
    first_images(few, count)
    return {**given, **{key: few[key] for key in ('indices', 'check_sizes') if key in few}}


def _timed(stage: Any, context: StageContext, folder: Path, dataset: dict) -> tuple[float, dict[str, Any]]:
    """Execute a stage with some images; return the seconds that it took and its result."""
    stage.dataset = dataset
    start = time.perf_counter()
    made = stage.execute(context, folder, False)
    return time.perf_counter() - start, made
