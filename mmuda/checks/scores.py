"""Checks of scores: the metrics fit the classes, and ``save_best`` names a score that the validation gives."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmseg.registry import HOOKS, METRICS, MODELS

from mmuda.constants import LABEL_FREE_PREFIX, LABEL_FREE_SCORES
from mmuda.engine.terminal import log_from
from mmuda.evaluation import DomainIoUMetric, LabelFreeHook

from .data import build_without_files, datasets_of
from .finding import ERROR, WARNING, Finding, nearest, one_line, short
from .registries import find
from .signatures import parameters_of

PLACE = 'default_hooks.checkpoint.save_best'


def check_scores(cfg: Config, phases: tuple[str, ...] = ('val', 'test')) -> Iterator[Finding]:
    """Check that :class:`DomainIoUMetric` fits the classes, and that the validation gives the score of ``save_best``.

    Protocols (means over named classes) and the paper's figures in the config of the metric must fit the classes.

    Args:
        cfg: Config of a training whose keys, data sets and evaluators have no mistakes.
        phases: Phases whose evaluators are checked.
    """
    known: list[str] | None = None
    for phase in phases:
        classes = _classes(cfg, f'{phase}_dataloader')
        if classes is None:
            continue
        try:
            names = _names(cfg.get(f'{phase}_evaluator'), classes)
        except (TypeError, ValueError) as error:
            # A training needs no test.
            level = WARNING if phase == 'test' and 'val' in phases else ERROR
            yield Finding(f'{phase}_evaluator', one_line(error), level=level)
            continue
        if phase == 'val':
            known = None if names is None else [*names, *_label_free(cfg, classes)]
    hooks = cfg.get('default_hooks') or {}
    saver = hooks.get('checkpoint')
    wanted = saver.get('save_best') if isinstance(saver, Mapping) else None
    for name in [wanted] if isinstance(wanted, str) else wanted or ():
        if known is not None and name not in (*known, 'auto'):
            short_names = [one for one in known if not _is_of_class(one)]
            yield Finding(
                PLACE, f'is {short(name)}, which no validation of this config gives', remedy=nearest(name, short_names)
            )


def _classes(cfg: Config, loader: str) -> tuple[str, ...] | None:
    """Return the class names of the images of a loader; None if they are unknown before the data set is read."""
    for _, node in datasets_of(cfg, (loader,)):
        dataset = build_without_files(node)
        return tuple((getattr(dataset, 'metainfo', None) or {}).get('classes') or ()) or None
    return None


def _names(evaluator: Any, classes: tuple[str, ...]) -> list[str] | None:
    """Return the names of all scores of an evaluator; None if a metric has scores whose names are not known here.

    Raises:
        ValueError: If a metric does not fit the classes.
    """
    names: list[str] = []
    complete = True
    for node in evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]:
        if not isinstance(node, Mapping):
            continue
        if find(node.get('type'), METRICS) is not DomainIoUMetric:
            complete = False
            continue
        with log_from(logging.ERROR):  # mmengine warns about a metric without prefix
            metric = METRICS.build(dict(node))
        metric.dataset_meta = dict(classes=classes)
        names += metric.score_names()
    return names if complete else None


def _label_free(cfg: Config, classes: tuple[str, ...]) -> Iterator[str]:
    """Yield the names of the scores that need no labels; none if there is no :class:`LabelFreeHook`."""
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or ())]
    if not any(isinstance(hook, Mapping) and find(hook.get('type'), HOOKS) is LabelFreeHook for hook in hooks):
        return
    kind = find((cfg.get('model') or {}).get('type'), MODELS)
    has_teacher = isinstance(kind, type) and 'teacher' in parameters_of(kind).known
    for name in LABEL_FREE_SCORES:
        if name != 'agreement' or has_teacher:
            yield f'{LABEL_FREE_PREFIX}/{name}'
    for name in classes:
        yield f'{LABEL_FREE_PREFIX}/share/{name}'


def _is_of_class(name: str) -> bool:
    return '/' in name.removeprefix(f'{LABEL_FREE_PREFIX}/')
