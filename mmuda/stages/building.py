"""From the ``stages`` of a config to stages, their context and the config of a network."""

import copy
import warnings
from collections import Counter

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmuda.engine.launch import LIVE_KEYS
from mmuda.registry import STAGES

from .base import Stage
from .context import StageContext
from .references import stage_of
from .train import TrainStage


def build_stages(cfg: Config) -> list[Stage]:
    """Return the stages of a config, in order. An entry for several stages is expanded (:meth:`Stage.expand`).

    Raises:
        ValueError: If the config has no stages, two have the same name, or an entry is no stage.
    """
    if not cfg.get('stages'):
        raise ValueError(
            f"runner_type='StagedRunner' needs stages = ['first', 'second', ...] in {cfg.filename}, a list of names of "
            'dicts in this config'
        )
    stages = [stage for entry in cfg.stages for stage in _build(cfg, entry).expand()]
    twice = [name for name, count in Counter(stage.name for stage in stages).items() if count > 1]
    if twice:
        raise ValueError(f'two stages have the same name: {", ".join(twice)}')
    _name_references(stages)
    return stages


def make_context(cfg: Config, stages: list[Stage], launcher: str = 'none') -> StageContext:
    """Return the context of the stages of a config."""
    return StageContext(cfg, {stage.name: stage for stage in stages}, cfg.work_dir, launcher)


def training_config(cfg: Config, stage: str | None = None) -> Config:
    """Return the config of one training: a config without stages itself, otherwise that of its first training stage.

    References to files of earlier stages are replaced by paths.

    Args:
        cfg: Any config.
        stage: Name of another training stage.

    Raises:
        KeyError: If there is no such training stage.
    """
    stages, trainings = _trainings(cfg, stage)
    if not stages:
        return cfg
    name = stage or next(iter(trainings), None)
    if name not in trainings:
        raise _no_training(cfg, name, trainings)
    ctx = make_context(cfg, stages)
    return Config(ctx.resolve(dict(trainings[name].config(ctx).items())), filename=cfg.filename)


def needs(stage: Stage, ctx: StageContext) -> list[str]:
    """Return the names of the stages that a stage refers to."""
    return sorted({name for name in map(stage_of, stage.inputs(ctx)) if name is not None})


def check_references(stages: list[Stage], ctx: StageContext) -> None:
    """Check that stages refer only to stages before them.

    Raises:
        ValueError: If a stage refers to another name.
    """
    before: list[str] = []
    for stage in stages:
        unknown = [name for name in needs(stage, ctx) if name not in before]
        if unknown:
            raise ValueError(
                f'stage {stage.name!r} refers to {", ".join(unknown)}, which is no stage before it; '
                f'stages before it: {", ".join(before) or "none"}'
            )
        before.append(stage.name)


def network_config(cfg: Config, stage: str | None = None) -> Config:
    """Return the config of the network that a config trains; with stages, that of the last training stage.

    Of a config with stages, the keys of the training are removed, because they need results of other stages.

    Args:
        cfg: Any config.
        stage: Name of another training stage.

    Raises:
        KeyError: If there is no such training stage.
    """
    stages, trainings = _trainings(cfg, stage)
    if not stages:
        return cfg
    name = stage or next(reversed(trainings), None)
    if name not in trainings:
        raise _no_training(cfg, name, trainings)
    found = trainings[name].config(make_context(cfg, stages))
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
        found.pop(key, None)
    found.work_dir = cfg.work_dir
    return found


def _trainings(cfg: Config, stage: str | None) -> tuple[list[Stage], dict[str, TrainStage]]:
    """Return all stages, and the training stages by name; both are empty for a config without stages."""
    if cfg.get('runner_type') != 'StagedRunner':
        if stage is not None:
            raise KeyError(f'{cfg.filename} has no stages, so it has no stage {stage!r}: leave the stage out')
        return [], {}
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    stages = build_stages(cfg)
    return stages, {found.name: found for found in stages if isinstance(found, TrainStage)}


def _no_training(cfg: Config, name: str | None, trainings: dict[str, TrainStage]) -> KeyError:
    return KeyError(
        f'there is no training stage {name or ""!r} in {cfg.filename}; there are {", ".join(trainings) or "none"}'
    )


def _build(cfg: Config, entry: str | dict) -> Stage:
    if isinstance(entry, str):
        if not isinstance(cfg.get(entry), dict) or entry in LIVE_KEYS:
            raise ValueError(f'stages lists {entry!r}, but {cfg.filename} has no stage {entry} = dict(type=...)')
        entry = dict(cfg[entry], name=entry)
    try:
        return STAGES.build(copy.deepcopy(entry))
    except ValueError as error:
        place = f'stage {entry.get("name")!r}: '  # errors of stages begin with it already, errors of their parts do not
        raise ValueError(f'{cfg.filename}, {place}{str(error).removeprefix(place)}') from error


def _name_references(stages: list[Stage]) -> None:
    """Put braces around bare names of stages in ``weights``, as configs of earlier versions have them."""
    names = {stage.name for stage in stages}
    for stage in stages:
        if stage.weights in names:
            warnings.warn(
                f"stage {stage.name!r}: weights={stage.weights!r} is read as '{{{stage.weights}}}', the weights of "
                'that stage; write it with braces',
                FutureWarning,  # Python hides DeprecationWarning from users of a config
                stacklevel=2,
            )
            stage.weights = f'{{{stage.weights}}}'
