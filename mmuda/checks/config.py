"""All checks of a config. Their result is a list of findings, which :func:`require` turns into one error."""

import logging
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope

from mmuda.stages import RoundStage, TrainStage

from .building import check_network
from .data import check_classes, check_edges, check_pipelines, check_samplers
from .finding import ERROR, WARNING, ConfigError, Finding, of_stage
from .keys import check_component
from .scores import check_scores
from .stages import check_entries, check_inputs, check_overrides, expand, inherited_hint
from .training import check_evaluation, check_loader, check_runtime, check_scope, check_settings
from .variables import check_top_level

TEST = ('test_dataloader',)


def check_config(cfg: Config) -> list[Finding]:
    """Check everything about a config that can be known before its training, in a few seconds and without a GPU.

    Args:
        cfg: As :func:`mmuda.engine.launch.load_config` returns it. It is not changed.

    Returns:
        The findings. Nothing is built from a config with wrong keys, so later findings can be missing.
    """
    found = [*check_scope(cfg), *check_top_level(cfg)]
    if _wrong(found):
        return found
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    staged = cfg.get('runner_type') == 'StagedRunner'
    return _one_for_each_key(found + (_check_staged(cfg) if staged else _check_training(cfg)))


def check_test(cfg: Config) -> list[Finding]:
    """Check the parts of a config that a test of a network needs: the network, the test images and the evaluator."""
    found = [*check_scope(cfg), *check_top_level(cfg)]
    if _wrong(found):
        return found
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    found += [*check_runtime(cfg), *check_component('model', cfg.get('model'), 'model')]
    found += check_loader(TEST[0], cfg.get(TEST[0]))
    found += [one for one in check_evaluation(cfg) if one.key.startswith('test_')]
    for key in ('test_dataloader', 'test_cfg', 'test_evaluator'):
        if cfg.get(key) is None:
            found.append(
                Finding(key, 'is None or missing', 'a dict; a test needs test_dataloader, test_cfg and test_evaluator')
            )
    if not _wrong(found):
        found += check_samplers(cfg, TEST)
        found += check_classes(cfg, TEST)
    if not _wrong(found):
        found += check_scores(cfg, ('test',))
    return _one_for_each_key(found)


def require(cfg: Config, findings: list[Finding]) -> None:
    """Log the warnings among findings, and raise the errors together.

    Raises:
        ConfigError: If there are errors. The message has one line for each.
    """
    for finding in findings:
        if finding.level == WARNING:
            print_log(str(finding), 'current', level=logging.WARNING)
    errors = _wrong(findings)
    if errors:
        raise ConfigError(str(cfg.filename or 'the config'), errors)


def _check_training(cfg: Config, stage: Any = None, built: set[str] | None = None) -> list[Finding]:
    rounds = isinstance(stage, RoundStage)
    found = list(check_settings(cfg, length_follows=rounds))
    if not _wrong(found):
        found += check_samplers(cfg)
        found += check_pipelines(cfg)
        found += check_classes(cfg)
        found += check_edges(cfg)
    if not _wrong(found):
        found += check_scores(cfg)
    network = str(cfg.get('model')) + str(cfg.get('optim_wrapper'))
    if not _wrong(found) and (built is None or network not in built):
        found += check_network(cfg)
        if built is not None:
            built.add(network)
    return found


def _check_staged(cfg: Config) -> list[Finding]:
    found = [*check_entries(cfg), *check_runtime(cfg)]
    if _wrong(found):
        return found
    stages = expand(cfg)
    if isinstance(stages, Finding):
        return [*found, stages]
    built: set[str] = set()
    for stage in stages[0]:
        found += _check_stage(stage, stages[1], built)
    # All stages share the config, so a mistake in it is found in each stage. Keep the finding of the first stage.
    return list({(one.key.split(': ')[-1], one.found): one for one in reversed(found)}.values())[::-1]


def _check_stage(stage: Any, context: Any, built: set[str]) -> Iterator[Finding]:
    wrong = list(check_overrides(stage))
    yield from wrong
    if _wrong(wrong):
        return
    if isinstance(stage, TrainStage):
        try:
            cfg = stage.config(context)
        except Exception as error:  # such as overrides that merge a dict into a value that is not a dict
            yield Finding(f'{of_stage(stage.name)}overrides', str(error))
            return
        for finding in _check_training(cfg, stage, built):
            yield inherited_hint(finding, stage.overrides).below(of_stage(stage.name))
    yield from check_inputs(stage, context)


def _one_for_each_key(findings: list[Finding]) -> list[Finding]:
    """Return the last finding about each key: checks of rules run after checks of types and are more precise."""
    return list({finding.key: finding for finding in findings}.values())


def _wrong(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level == ERROR]
