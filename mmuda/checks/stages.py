"""Checks of a config with stages (:class:`mmuda.stages.Stage`, one step of a method of several steps).

All stages are checked before the first one is executed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmuda.engine.launch import LIVE_KEYS
from mmuda.registry import STAGES
from mmuda.stages import RoundStage, Stage, StageContext, TrainStage, build_stages, make_context
from mmuda.stages.building import check_references
from mmuda.stages.references import stage_of

from .finding import Finding, joined, nearest, of_stage, one_line, short, split_stage, unknown_key
from .keys import MARKS, check_arguments, check_component
from .registries import find, unknown_type

SET_BY_ROUND = ('max_iters', 'val_interval')
"""Keys of ``train_cfg`` that a round of self-training (:class:`mmuda.stages.RoundStage`) computes from its images."""


def check_entries(cfg: Config) -> Iterator[Finding]:
    """Check ``stages`` and the dict of each stage as the config has it."""
    entries = cfg.get('stages')
    if not isinstance(entries, (list, tuple)) or not entries:
        yield Finding(
            'stages', f'is {short(entries)}', "a list of names of dicts of the config, such as ['first', 'second']"
        )
        return
    for number, entry in enumerate(entries):
        place, node = (entry, cfg.get(entry)) if isinstance(entry, str) else (f'stages.{number}', entry)
        if not isinstance(node, Mapping) or (isinstance(entry, str) and entry in LIVE_KEYS):
            known = [key for key, value in cfg.items() if isinstance(value, Mapping) and key not in LIVE_KEYS]
            yield Finding(
                f'stages.{number}',
                f'names {short(entry)}, but the config has no {entry} = dict(type=...)',
                remedy=nearest(str(entry), known),
            )
            continue
        kind = find(node.get('type'), STAGES)
        if not (isinstance(kind, type) and issubclass(kind, Stage)):
            yield unknown_type(place, node.get('type'), STAGES)
            continue
        yield from check_component(place, node, 'stages', STAGES)
        for key, part in kind.ARGUMENTS_OF.items():
            if isinstance(node.get(key), Mapping):
                yield from check_arguments(joined(place, key), node[key], key, part)


def expand(cfg: Config) -> tuple[list[Stage], StageContext] | Finding:
    """Return the stages of a config and their context, or a finding if they cannot be built."""
    try:
        stages = build_stages(cfg)
        context = make_context(cfg, stages)
        check_references(stages, context)
    except Exception as error:  # a stage of a plug-in can raise anything
        text = one_line(error).removeprefix(f'{cfg.filename}, ')
        name, problem = split_stage(text)
        return Finding(f'stage {name!r}' if name else 'stages', problem)
    return stages, context


def check_overrides(stage: Stage) -> Iterator[Finding]:
    """Check the top-level keys of the overrides of a training. Deeper keys are checked in the merged config."""
    overrides = getattr(stage, 'overrides', None)
    if not isinstance(overrides, Mapping):
        return
    for key in overrides:
        if key not in LIVE_KEYS - {'stages'} and key not in MARKS:
            yield unknown_key(f'{of_stage(stage.name)}overrides', key, 'a training', LIVE_KEYS - {'stages'})
    if isinstance(stage, RoundStage):
        for key in SET_BY_ROUND:
            if key in (overrides.get('train_cfg') or {}):
                place = f'{of_stage(stage.name)}train_cfg.{key}'
                found = 'has no effect: the length of a round follows from its images'
                yield Finding(place, found, remedy='set epochs_per_round')


def check_inputs(stage: Stage, context: StageContext) -> Iterator[Finding]:
    """Check that each input of a stage exists, or that another stage writes it."""
    place = f'stage {stage.name!r}'
    for source in sorted(stage.inputs(context)):
        name = stage_of(source)
        if name is None:
            if '://' not in source and not Path(source).is_file():
                close = nearest(source, [f'{{{known}}}' for known in context.stages])
                yield Finding(
                    _argument(stage, source),
                    f'is {short(source)}, which is neither a file nor a stage in braces',
                    remedy=close,
                )
            continue
    for value in _references(stage):
        name = stage_of(value)
        file = value[len(f'{{{name}}}') :].lstrip('/')
        files = getattr(context.stages.get(name or ''), 'FILES', None)
        if file and files is not None and file not in files:
            yield Finding(
                _argument(stage, value),
                f'is {short(value)}, but that stage writes no such file',
                remedy=nearest(file, files),
            )
    if stage.weights is not None and stage.weights == f'{{{stage_of(stage.weights)}}}':
        try:
            context.network_config(stage.weights)
        except ValueError as error:
            yield Finding(f'{place}: weights', f'is {short(stage.weights)}: {one_line(error)}')
    if not isinstance(stage, TrainStage):
        try:
            stage.settings(context)
        except Exception as error:
            yield Finding(place, one_line(error).removeprefix(f'{place}: '))


def _argument(stage: Stage, value: str) -> str:
    """Return the dotted place of a value: the argument of the stage that has this value."""
    name = next((name for name, given in vars(stage).items() if given == value), 'load_from')
    return f'{of_stage(stage.name)}{name}'


def _references(stage: Stage) -> list[str]:
    """Return the arguments of a stage that refer to a file of another stage, such as ``'{label}/file'``."""
    values = [value for value in vars(stage).values() if isinstance(value, str) and stage_of(value) is not None]
    return [value for value in values if value != f'{{{stage_of(value)}}}']


def inherited_hint(finding: Finding, overrides: Any) -> Finding:
    """Add a remedy to a finding if the stage inherits its key from the config that its overrides change.

    Args:
        finding: A finding about the merged config of a training.
        overrides: Overrides of the stage.

    Returns:
        The finding. It is changed only if the overrides give the ``type`` of the dict with this key, but not the key.
    """
    node: Any = overrides
    for part in finding.key.split('.'):
        if not isinstance(node, Mapping) or '_replace_' in node or '_delete_' in node:
            return finding
        if part not in node:
            if 'type' not in node:
                return finding
            return Finding(
                finding.key,
                f'{finding.found} (it comes from the config that the stage changes)',
                finding.expected,
                'write _replace_=True beside type= in the overrides to replace the dict; _delete_ has no effect here, '
                'because mmengine removes it when a config inherits',
                finding.level,
            )
        node = node[part]
    return finding
