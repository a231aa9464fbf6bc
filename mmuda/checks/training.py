"""Checks of the keys and values in the config of one training."""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import LOG_PROCESSORS, LOOPS, RUNNERS, VISUALIZERS
from mmengine.runner import Runner
from mmseg.registry import METRICS, OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from mmuda.engine.acceleration import MEMORY_FORMATS, compile_options
from mmuda.engine.optim import ENTRY_KEYS, SHARED_KEYS, PerModuleOptimWrapperConstructor
from mmuda.engine.target_batch_norm import sample_of

from .finding import Finding, joined, nearest, short, unknown_key
from .keys import MARKS, check_built, check_component, check_optimizer, check_paramwise
from .registries import find
from .schedule import check_hooks, check_loop, check_schedulers
from .sections import check_environment, check_log_entry, check_section, check_switches
from .signatures import parameters_of
from .values import COUNT, COUNT_OR_0, check_rule, number, whole

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def check_settings(cfg: Config, length_follows: bool = False) -> Iterator[Finding]:
    """Check keys and values of the config of a training. No model, data set or optimizer is built.

    Args:
        cfg: The config.
        length_follows: Whether the training computes its own length, as a round of self-training does.

    Yields:
        The findings.
    """
    yield from check_scope(cfg)
    yield from check_runtime(cfg)
    if not isinstance(cfg.get('model'), Mapping):
        yield Finding('model', f'is {short(cfg.get("model"))}', 'a dict')
    else:
        yield from check_component('model', cfg.model, 'model')
        yield from check_children(cfg.model)
    for key in ('tta_model', 'test_ensemble', 'tta_pipeline'):
        yield from check_component(key, cfg.get(key), key)
    for key in LOADERS:
        yield from check_loader(key, cfg.get(key))
    yield from check_evaluation(cfg)
    yield from check_optimizers(cfg.get('optim_wrapper'))
    if not length_follows:
        yield from check_loop(cfg)
    if cfg.get('optim_wrapper') is not None:
        yield from check_schedulers(cfg, length_follows)
    yield from check_hooks(cfg)


def check_scope(cfg: Config) -> Iterator[Finding]:
    """Check that the default scope of the registries is an installed package."""
    scope = cfg.get('default_scope')
    if scope is None:
        return
    if not isinstance(scope, str) or importlib.util.find_spec(scope) is None:
        yield Finding('default_scope', f'is {short(scope)}, which is no installed package', "'mmseg'")


def check_runtime(cfg: Config) -> Iterator[Finding]:
    """Check the keys that belong to the run and not to its method, such as the seed, the folder and the checkpoint."""
    yield from check_environment(cfg.get('env_cfg'))
    yield from check_switches(cfg)
    yield from check_section('randomness', cfg.get('randomness'), 'randomness', (Runner.set_randomness,))
    seed = (cfg.get('randomness') or {}).get('seed') if isinstance(cfg.get('randomness'), Mapping) else None
    if seed is not None and not (whole(seed) and 0 <= seed < 2**32):
        yield Finding('randomness.seed', f'is {short(seed)}', 'a whole number from 0 to 2**32 - 1, or None')
    try:
        sample_of(cfg)
    except ValueError:
        expected = 'dict(sample=N) with a number of images above 1, or None for all images'
        yield Finding('target_statistics', f'is {short(cfg["target_statistics"])}', expected)
    if find(cfg.get('runner_type', 'Runner'), RUNNERS) is None:
        yield Finding(
            'runner_type',
            f'there is no runner {short(cfg["runner_type"])}',
            remedy=nearest(str(cfg['runner_type']), RUNNERS.module_dict),
        )
    try:
        compile_options(cfg.get('compile'))
    except ValueError:
        yield Finding('compile', f'is {short(cfg["compile"])}', 'True, False, or a dict of arguments of torch.compile')
    if cfg.get('memory_format') not in (None, *MEMORY_FORMATS):
        expected = f'None or one of {", ".join(map(repr, MEMORY_FORMATS))}'
        yield Finding('memory_format', f'is {short(cfg["memory_format"])}', expected)
    for key, kinds, expected in (
        ('work_dir', str, 'a folder'),
        ('load_from', (str, type(None)), 'a checkpoint file, or None'),
        ('resume', (bool, str), 'True, False or a checkpoint file'),
    ):
        if key in cfg and not isinstance(cfg[key], kinds):
            yield Finding(key, f'is {short(cfg[key])}', expected)
    for key in ('val_cfg', 'test_cfg', 'visualizer', 'log_processor', 'model_wrapper_cfg'):
        if not isinstance(cfg.get(key), (Mapping, type(None))):
            yield Finding(key, f'is {short(cfg[key])}', 'a dict, or None')
    start = cfg.get('load_from')
    for key, name in (('load_from', None if cfg.get('resume') else start), ('resume', cfg.get('resume'))):
        if isinstance(name, str) and not _is_there(name):
            yield Finding(key, f'is {short(name)}, which is no file', 'a checkpoint file')
    for key, kind, registry in (
        ('log_processor', 'LogProcessor', LOG_PROCESSORS),
        ('visualizer', 'Visualizer', VISUALIZERS),
    ):
        node = cfg.get(key)
        if isinstance(node, Mapping):
            yield from check_component(key, {'type': kind, **node}, key, registry)
    processor = cfg.get('log_processor')
    for number_, entry in enumerate((processor.get('custom_cfg') if isinstance(processor, Mapping) else None) or ()):
        yield from check_log_entry(f'log_processor.custom_cfg.{number_}', entry)
    yield from check_component('model_wrapper_cfg', cfg.get('model_wrapper_cfg'), 'model_wrapper_cfg')


def check_children(model: Mapping) -> Iterator[Finding]:
    """Check that a model has the segmentor and the discriminator that it needs.

    Without this check, building the model fails with an unclear error.
    """
    kind = find(model.get('type'), None)
    for key, (_, default) in parameters_of(kind).known.items() if isinstance(kind, type) else ():
        if key in ('segmentor', 'discriminator') and default is not None:
            node = model.get(key)
            if not isinstance(node, Mapping):
                yield Finding(
                    f'model.{key}',
                    f'is {short(node)}' if key in model else 'is missing',
                    f'the config of a network, which {kind.__name__} needs',
                )


def check_loader(place: str, node: Any) -> Iterator[Finding]:
    """Check a data loader and its data set."""
    if node is None:
        if place == 'train_dataloader':
            yield Finding(place, 'is None', 'a dict')
        return
    if not isinstance(node, Mapping):
        yield Finding(place, f'is {short(node)}', 'a dict')
        return
    options = {
        key: value for key, value in node.items() if key not in ('dataset', 'sampler', 'batch_sampler', 'collate_fn')
    }
    extra = ('dataset', 'sampler', 'batch_sampler', 'collate_fn', 'num_batch_per_epoch')
    yield from check_section(place, options, 'dataloader_cfg', (Runner.build_dataloader, DataLoader), extra)
    for key, rule in (('batch_size', COUNT), ('num_workers', COUNT_OR_0)):
        if key in node:
            yield from filter(None, [check_rule(joined(place, key), node[key], rule)])
    if node.get('persistent_workers') and node.get('num_workers', 0) == 0:
        yield Finding(f'{place}.persistent_workers', 'is True, but num_workers is 0', 'False, or num_workers above 0')
    for key in ('dataset', 'sampler'):
        if not isinstance(node.get(key), Mapping):
            yield Finding(
                joined(place, key), f'is {short(node[key])}' if key in node else 'is missing', 'a dict(type=...)'
            )
    for key in ('dataset', 'sampler', 'batch_sampler', 'collate_fn'):
        yield from check_component(joined(place, key), node.get(key), key)


def check_evaluation(cfg: Config) -> Iterator[Finding]:
    """Check that validation and test each have data, loop and evaluator, or none of them, and check these."""
    for phase in ('val', 'test'):
        keys = [f'{phase}_dataloader', f'{phase}_cfg', f'{phase}_evaluator']
        given = [key for key in keys if cfg.get(key) is not None]
        if given and len(given) < 3:
            missing = [key for key in keys if key not in given]
            found = f'is {short(cfg.get(missing[0]))}, but there is {given[0]}'
            yield Finding(missing[0], found, remedy=f'give all of {", ".join(keys)}, or none')
        loop = cfg.get(keys[1])
        if isinstance(loop, Mapping):
            kind = {'type': f'{phase.title()}Loop', **loop}
            yield from check_component(keys[1], kind, keys[1], LOOPS)
        evaluator = cfg.get(keys[2])
        metrics = evaluator if isinstance(evaluator, (list, tuple)) else [] if evaluator is None else [evaluator]
        for number_, metric in enumerate(metrics):
            place = joined(keys[2], number_) if isinstance(evaluator, (list, tuple)) else keys[2]
            if not isinstance(metric, Mapping) or find(metric.get('type'), METRICS) is None:
                yield Finding(
                    place, f'is {short(metric)}', "a metric such as dict(type='DomainIoUMetric'), or a list of them"
                )
            else:
                yield from check_component(place, metric, keys[2], METRICS)
                yield from check_built(place, metric, METRICS)


def check_optimizers(node: Any) -> Iterator[Finding]:
    """Check ``optim_wrapper``: an adaptor has one entry for each module, and a plain model has mmengine's keys."""
    place = 'optim_wrapper'
    if not isinstance(node, Mapping):
        yield Finding(place, f'is {short(node)}', 'a dict')
        return
    counts = node.get('accumulative_counts', 1)
    yield from filter(None, [check_rule(joined(place, 'accumulative_counts'), counts, COUNT)])
    constructor = find(node.get('constructor', 'DefaultOptimWrapperConstructor'), OPTIM_WRAPPER_CONSTRUCTORS)
    if constructor is None:
        yield Finding(joined(place, 'constructor'), f'there is no {short(node.get("constructor"))}')
    if constructor is PerModuleOptimWrapperConstructor:
        yield from _check_entries(place, node)
        return
    if node.get('constructor') is not None:
        return  # the constructor of a plug-in, whose keys are not known here
    own = {key: value for key, value in node.items() if key not in ('optimizer', 'paramwise_cfg', 'constructor')}
    yield from check_component(place, {'type': 'OptimWrapper', **own}, place, OPTIM_WRAPPERS)
    yield from check_optimizer(joined(place, 'optimizer'), node.get('optimizer'))
    yield from check_paramwise(joined(place, 'paramwise_cfg'), node.get('paramwise_cfg'), node.get('optimizer'))


def _check_entries(place: str, node: Mapping) -> Iterator[Finding]:
    scale = node.get('loss_scale', 'dynamic')
    if scale != 'dynamic' and not (number(scale) and scale > 0):
        yield Finding(joined(place, 'loss_scale'), f'is {short(scale)}', "'dynamic' or a number above 0")
    for name, entry in node.items():
        where = joined(place, name)
        if name in SHARED_KEYS or name in MARKS:
            continue
        if not isinstance(entry, Mapping):
            yield Finding(
                where,
                f'is {short(entry)}',
                f'the dict of a module with its optimizer; keys of all modules are {", ".join(SHARED_KEYS)}',
            )
            continue
        for key in entry:
            if key not in ENTRY_KEYS and key not in MARKS:
                yield unknown_key(where, key, place, ENTRY_KEYS)
        yield from check_optimizer(joined(where, 'optimizer'), entry.get('optimizer'))
        yield from check_paramwise(joined(where, 'paramwise_cfg'), entry.get('paramwise_cfg'), entry.get('optimizer'))
        clip = entry.get('clip_grad')
        if clip is not None and not isinstance(clip, Mapping):
            yield Finding(joined(where, 'clip_grad'), f'is {short(clip)}', 'a dict such as dict(max_norm=1.0), or None')
        if isinstance(clip, Mapping):
            kind = clip_grad_value_ if clip.get('type') == 'value' else clip_grad_norm_
            yield from check_section(joined(where, 'clip_grad'), clip, 'clip_grad', (kind,))


def _is_there(name: str) -> bool:
    """Return whether a name is an existing file, or has a prefix such as ``https:`` and is not on this disk."""
    return bool(re.match(r'[\w-]+:', name)) or Path(name).is_file()
