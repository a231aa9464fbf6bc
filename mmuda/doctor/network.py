"""Examination of the networks of a config: sizes, channels, starting weights, and the parameters of each optimizer."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import nn
from torch.hub import get_dir

from mmuda.checkpoints import load_weights
from mmuda.checkpoints.packages import SCHEME, installed_file
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.checks import Finding
from mmuda.checks.building import check_network
from mmuda.checks.data import build_without_files, check_heads, datasets_of
from mmuda.checks.finding import of_stage, one_line
from mmuda.models.adaptors.adversarial import DomainAdversary
from mmuda.models.building import build_without_memory
from mmuda.settings import comparable, settings_digest
from mmuda.stages.references import stage_of

from .findings import trainings
from .rows import ERROR, OK, SKIPPED, WARNING, Row, Section, count, row_of, some

_WEB = ('http://', 'https://')
_CORRECT_START = 'correct load_from, or put the file there'
_CHANNELS = ('in_channels', 'in_index', 'num_classes')


def network_findings(cfg: Config) -> dict[str, list[Finding]]:
    """Check the networks of all trainings without allocating them.

    Args:
        cfg: The config, without the wrong keys that prevent its use.

    Returns:
        Findings by the name of the training. A training with the network of an earlier one is left out.
    """
    found, seen = {}, set()
    for name, training in trainings(cfg):
        digest = settings_digest(comparable(dict(model=training.get('model'), wrapper=training.get('optim_wrapper'))))
        if digest not in seen:
            seen.add(digest)
            findings = (*check_network(training), *_check_outputs(training))
            found[name] = [finding.below(of_stage(name)) for finding in findings]
    return found


def examine_networks(cfg: Config, findings: dict[str, list[Finding]], fast: bool = False) -> Section:
    """Examine the networks of all trainings.

    Args:
        cfg: The config, without the wrong keys that prevent its use.
        findings: Result of :func:`network_findings`.
        fast: Whether to leave out loading the weights that the networks start from.
    """
    section = Section('network')
    for name, training in trainings(cfg):
        if name in findings:
            prefix = f'{name}: ' if name else ''
            for row in _rows(training, findings[name], fast):
                section.add(f'{prefix}{row.item}', row.found, row.verdict, row.remedy)
            section.rows += map(row_of, findings[name])
    return section


def _check_outputs(cfg: Config) -> Iterator[Finding]:
    """Compare the outputs of the heads with the classes of the first data set, whose files need not exist."""
    for place, node in datasets_of(cfg):
        try:
            classes = build_without_files(node).metainfo['classes']
        except Exception:  # the section of the data says why
            continue
        yield from check_heads(cfg.get('model'), place, len(classes))
        return


def _rows(cfg: Config, found: list[Finding], fast: bool) -> Iterator[Row]:
    try:
        model = build_without_memory(cfg.model)
    except Exception as error:
        if not any(one.level == ERROR for one in found):
            yield Row(
                'model', f'cannot be built: {one_line(error)}', SKIPPED, 'correct the mistakes of the config first'
            )
        return  # check_network has said why
    yield Row('model', f'{type(model).__name__}, {_parameters(model)}')
    if hasattr(model, 'segmentor'):
        for name, child in model.named_children():
            if any(True for _ in child.parameters()):
                yield Row(name, f'{type(child).__name__}, {_parameters(child)}')
    wrong = {finding.key.rpartition(': ')[2] for finding in found}
    yield from _channels(model, wrong)
    yield from _optimizers(model, cfg, wrong)
    yield from _weights(model, cfg, fast)


def _parameters(module: nn.Module) -> str:
    total = sum(parameter.numel() for parameter in module.parameters())
    trained = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    part = '' if trained == total else f', of which {trained:,} are trained' if trained else ', none is trained'
    return f'{count(total, "parameter")}{part}'


def _channels(model: nn.Module, wrong: set[str]) -> Iterator[Row]:
    """Yield rows for the channels of heads and discriminators that have no finding."""
    for name, module in model.named_modules():
        if isinstance(module, BaseDecodeHead) and not wrong & {f'model.{name}.{key}' for key in _CHANNELS}:
            yield Row(name, f'takes {module.in_channels} channels, gives {module.num_classes} classes')
    for name, child in model.named_children():
        first = next((part for part in child.modules() if isinstance(part, nn.Conv2d)), None)
        if 'discriminator' in name and first is not None and f'model.{name}.in_channels' not in wrong:
            fit = 'which fit' if isinstance(model, DomainAdversary) else 'which are not compared'
            yield Row(f'{name}: channels', f'takes {first.in_channels} channels, {fit}')


def _optimizers(model: nn.Module, cfg: Config, wrong: set[str]) -> Iterator[Row]:
    """Check that each trained parameter is in exactly one optimizer."""
    node = cfg.get('optim_wrapper')
    if not isinstance(node, Mapping):
        return
    try:
        wrapper: Any = build_optim_wrapper(model, node)
    except Exception as error:
        if 'optim_wrapper' not in wrong:
            yield Row('optimizers', one_line(error), ERROR, 'correct optim_wrapper')
        return
    wrappers = dict(wrapper.items()) if hasattr(wrapper, 'items') else {'all': wrapper}
    times: Counter = Counter()
    for name, one in wrappers.items():
        own = [parameter for group in one.optimizer.param_groups for parameter in group['params']]
        times.update(map(id, own))
        rates = sorted({group['lr'] for group in one.optimizer.param_groups})
        told = ', '.join(f'{rate:g}' for rate in rates[:4])
        yield Row(f'optimizer of {name}', f'{type(one.optimizer).__name__}, {count(len(own), "tensor")}, rates {told}')
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for number, word, remedy in (
        (0, 'no optimizer', 'give their module an entry in optim_wrapper, or freeze them'),
        (2, 'several optimizers', 'leave each parameter to one entry of optim_wrapper'),
    ):
        names = [name for name, one in trained.items() if min(times[id(one)], 2) == number]
        if names:
            yield Row(f'parameters in {word}', f'{len(names)}: {some(names, 3)}', ERROR, remedy)
    if all(times[id(one)] == 1 for one in trained.values()):
        yield Row('trained parameters', f'all {count(len(trained), "tensor")} are in exactly one optimizer')


def _weights(model: nn.Module, cfg: Config, fast: bool) -> Iterator[Row]:
    """Yield rows for the starting weights of the network, and load them as a training does."""
    sources = list(_initialisations(model))
    for name, source in sources:
        yield Row(f'starts from: {name}', *_found(source))
    start = cfg.get('load_from')
    if stage_of(start) is not None:
        yield Row('starts from: weights', f'{start}, an earlier stage')
        return
    local = bool(start) and '://' not in start
    if local:
        there = Path(start).is_file()
        told, verdict, remedy = (start, OK, '') if there else (f'{start} does not exist', ERROR, _CORRECT_START)
        yield Row('starts from: load_from', told, verdict, remedy)
    elif start:
        yield Row('starts from: load_from', f'{start}, not read: the run downloads it', SKIPPED)
    if not sources and not start:
        yield Row('starts from', 'random weights')
        return
    if fast:
        yield Row('weights', 'not loaded (--fast)', SKIPPED)
        return
    absent = [source['checkpoint'] for _, source in sources if not _is_here(source['checkpoint'])]
    if absent:
        yield Row('initial weights', f'not loaded: the first run downloads {some(absent, 2)}', SKIPPED)
    if (absent or not sources) and not (local and Path(start).is_file()):
        return
    try:
        with torch.random.fork_rng(devices=[]):
            built: Any = MODELS.build(cfg.model)
            if not absent:
                built.init_weights()
        left_out = load_weights(built, read_checkpoint(start), start) if local and Path(start).is_file() else []
    except Exception as error:  # files and networks of plug-ins can raise anything
        yield Row('weights', one_line(error), ERROR, 'start from weights of this network')
        return
    told = f'; keys in only one of network and checkpoint: {", ".join(left_out)}' if left_out else ''
    yield Row('weights', f'load{told}')


def _is_here(source: str) -> bool:
    """Return whether initial weights need no download. A missing local file is an error only when it is read."""
    return '://' not in source or source.startswith(SCHEME) or (source.startswith(_WEB) and _copy_of(source).is_file())


def _copy_of(source: str) -> Path:
    """Return the file to which PyTorch downloads a URL."""
    return Path(get_dir(), 'checkpoints', source.rpartition('/')[2])


def _initialisations(model: nn.Module) -> Iterator[tuple[str, dict]]:
    """Yield the initialisations that read a file, by the name of their module."""
    for name, module in model.named_modules():
        nodes = getattr(module, 'init_cfg', None)
        for node in nodes if isinstance(nodes, (list, tuple)) else [nodes]:
            if isinstance(node, Mapping) and isinstance(node.get('checkpoint'), str):
                yield name or 'model', dict(node)


def _found(node: dict) -> tuple[str, str, str]:
    """Return the state of the file of an initialisation, a verdict and a remedy."""
    source, hint = node['checkpoint'], str(node.get('hint') or 'put the file there, or set init_cfg.checkpoint')
    if '://' not in source:
        there = Path(source).is_file()
        return (source, OK, '') if there else (f'{source} does not exist', ERROR, hint)
    if source.startswith(SCHEME):
        try:
            return f'{source}, installed: {installed_file(source)}', OK, ''
        except (ValueError, OSError, ImportError, RuntimeError) as error:
            return one_line(error), ERROR, 'install the package, or set init_cfg.checkpoint'
    if not source.startswith(_WEB):
        return f'{source}, not checked: the first run may download it', SKIPPED, ''
    copy = _copy_of(source)
    if copy.is_file():
        return f'{source}, downloaded before', OK, ''
    return f'{source}, not downloaded yet', WARNING, f'the first run downloads it to {copy.parent}'
