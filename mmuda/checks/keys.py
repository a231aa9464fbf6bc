"""Checks of the components of a config: keys that nothing reads, and values that do not fit their key."""

import copy
import difflib
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmcv.cnn import build_norm_layer
from mmengine.hooks import CheckpointHook
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import Registry
from mmengine.runner import Runner
from mmseg.models import DepthEstimator, EncoderDecoder
from mmseg.registry import MODELS, OPTIMIZERS
from torch import nn

from mmuda.engine.terminal import log_from
from mmuda.registry import STAGES

from .finding import Finding, joined, one_line, short, unknown_key
from .registries import BY_KEY, find, unknown_type
from .signatures import keys_read, parameters_of, passes_on
from .values import NOT_NEGATIVE, OPTIMIZER, check_argument, check_rule, is_own, number

MARKS = {'type', '_scope_', '_delete_', '_replace_'}
"""Keys that any dict of a config can have. mmengine removes them when it merges configs or builds a component."""

SURE = (
    *('model', 'segmentor', 'backbone', 'decode_head', 'auxiliary_head', 'data_preprocessor', 'dataset', 'pipeline'),
    *('sampler', 'source_policy', 'optimizer', 'default_hooks', 'custom_hooks', 'strategy', 'init_cfg', 'collate_fn'),
    *('visualizer', 'vis_backends', 'log_processor', 'test_ensemble', 'tta_model', 'tta_pipeline', 'batch_sampler'),
    'model_wrapper_cfg',
)
"""Keys whose value is always built from their registry, so that an unknown ``type`` is a mistake."""

TYPED = ('init_cfg', 'loss_decode', 'norm_cfg', 'act_cfg', 'conv_cfg', 'vis_backends', 'pipeline', 'custom_hooks')
"""Keys under which each dict needs a ``type``, because it is built and has no other use."""

PLAIN = (str, bytes, bool, int, float)
"""Types of values that are not components."""

PASSED_TO: dict[type, Any] = {CheckpointHook: Runner.save_checkpoint}
"""Classes that pass their keyword arguments on during the run, and the function that takes them."""

BESIDE: dict[str, tuple[str, ...]] = dict(
    custom_hooks=('priority',),
    default_hooks=('priority',),
    param_scheduler=('convert_to_iter_based',),
    init_cfg=('override', 'layer', 'bias', 'bias_prob'),
)
"""Keys that are no arguments of a component but are read by its builder, by the key of the config."""

_UNTYPED = 'no base config has this dict, so its keys cannot be changed alone: write the whole dict'

READ_BY_OWNER = ('test_cfg', 'train_cfg', 'data_prefix')
"""Dicts whose allowed keys are found in the source of their owner and of its parts."""

METAINFO = ('classes', 'palette')


def check_component(place: str, node: Any, key: str, registry: Registry | None = None) -> Iterator[Finding]:
    """Check a part of a config: a component, or a list or dict of them.

    Args:
        place: Dotted place of the part.
        node: The part.
        key: Key of the config that holds it, without indices of lists.
        registry: Registry that it is built from, for keys that are not in :data:`BY_KEY`.

    Yields:
        Findings about keys that nothing reads, unknown types, and values that are not allowed.
    """
    registry = BY_KEY.get(key, registry)
    if isinstance(node, (list, tuple)):
        for number_, part in enumerate(node):
            yield from check_component(joined(place, number_), part, key, registry)
        return
    if isinstance(node, PLAIN) and key in SURE:
        yield Finding(place, f'is {short(node)}', 'a dict(type=...)')
    if not isinstance(node, Mapping):
        return
    if 'type' not in node:
        if key in TYPED:
            yield Finding(place, f'is {short(dict(node))}, which has no type', 'a dict(type=...)', _UNTYPED)
            return
        for child, value in node.items():
            yield from check_component(joined(place, child), value, child, registry)
        return
    component = find(node['type'], registry)
    if component is None:
        if registry is not None and key in SURE:
            yield unknown_type(place, node['type'], registry)
        return
    yield from check_arguments(place, node, key, component)
    for child, value in node.items():
        if child in READ_BY_OWNER:
            yield from check_keys_of_owner(joined(place, child), value, child, owners(node))
        elif child == 'metainfo' and isinstance(value, Mapping):
            yield from near_misses(joined(place, child), value, METAINFO, 'the meta information of a data set')
        elif child == 'loss_weights':
            yield from check_loss_weights(joined(place, child), value, component)
        elif registry is not STAGES or not isinstance(value, Mapping) or 'type' in value:
            yield from check_component(joined(place, child), value, child, _inherited(registry))


def check_arguments(place: str, node: Mapping, key: str, component: Any) -> Iterator[Finding]:
    """Check the arguments of one component, but not the components among them."""
    parameters = parameters_of(component)
    known = {*parameters.known, *BESIDE.get(key, ())}
    passed = [
        function for kind, function in PASSED_TO.items() if isinstance(component, type) and issubclass(component, kind)
    ]
    known |= {name for function in passed for name in parameters_of(function).known}
    if key.endswith('norm_cfg'):
        known |= keys_read('cfg_', build_norm_layer, passed_on=True) or set()
    given = {name: value for name, value in node.items() if name not in MARKS}
    owner = getattr(component, '__name__', str(component))
    if parameters.open and not passed:
        yield from near_misses(place, given, known, owner)
    else:
        for name in given:
            if name not in known:
                yield unknown_key(place, name, owner, set(known) - {'self'})
    for name, value in given.items():
        finding = check_argument(place, name, value, component)
        if finding is not None:
            yield finding


def check_built(place: str, node: Any, registry: Registry) -> Iterator[Finding]:
    """Build a component of mmuda whose constructor only checks and keeps its arguments, and yield its error.

    Components of other packages are not built.

    Args:
        place: Dotted place of the dict of the component.
        node: The dict.
        registry: Registry that the component is built from.
    """
    kind = find(node.get('type'), registry) if isinstance(node, Mapping) else None
    if kind is None or not is_own(kind):
        return
    given = {key: value for key, value in copy.deepcopy(dict(node)).items() if key not in (*MARKS, 'priority')}
    if list(check_component(place, {'type': node['type'], **given}, '', registry)):
        return
    try:
        with log_from(logging.ERROR):
            kind(**given)
    except Exception as error:  # a run would end with the same error
        yield Finding(place, one_line(error))


def check_optimizer(place: str, node: Any) -> Iterator[Finding]:
    """Check an optimizer and the numbers among its arguments."""
    if not isinstance(node, Mapping):
        yield Finding(place, f'is {short(node)}', "a dict such as dict(type='SGD', lr=0.01)")
        return
    yield from check_component(place, node, 'optimizer', OPTIMIZERS)
    component = find(node.get('type'), OPTIMIZERS)
    for name, rule in OPTIMIZER.items():
        if name in node and (component is None or name in parameters_of(component).known):
            found = check_rule(joined(place, name), node[name], rule)
            if found is not None:
                yield found


def check_paramwise(place: str, node: Any, optimizer: Any) -> Iterator[Finding]:
    """Check ``paramwise_cfg`` of mmengine's constructor, and the options of each of its ``custom_keys``."""
    if node is None:
        return
    if not isinstance(node, Mapping):
        yield Finding(place, f'is {short(node)}', 'a dict')
        return
    known = keys_read('paramwise_cfg', DefaultOptimWrapperConstructor) or frozenset(node)
    for key in set(node) - known - MARKS:
        yield unknown_key(place, key, 'paramwise_cfg', known)
    for key, value in node.items():
        if key.endswith('_mult'):
            yield from filter(None, [check_rule(joined(place, key), value, NOT_NEGATIVE)])
    keys = node.get('custom_keys')
    if keys is None:
        return
    where = joined(place, 'custom_keys')
    if not isinstance(keys, Mapping):
        yield Finding(where, f'is {short(keys)}', 'a dict such as dict(decode_head=dict(lr_mult=10.0))')
        return
    component = find(optimizer.get('type'), OPTIMIZERS) if isinstance(optimizer, Mapping) else None
    options = {'lr_mult', 'decay_mult', *(parameters_of(component).known if component else ())} - {'params'}
    for name, entry in keys.items():
        if name in MARKS:
            continue
        if not isinstance(entry, Mapping):
            yield Finding(joined(where, name), f'is {short(entry)}', 'a dict such as dict(lr_mult=10.0)')
            continue
        for option, value in entry.items():
            if option not in options and option not in MARKS:
                yield unknown_key(joined(where, name), option, 'an entry of custom_keys', options)
            elif option in ('lr_mult', 'decay_mult'):
                yield from filter(None, [check_rule(joined(joined(where, name), option), value, NOT_NEGATIVE)])


def check_loss_weights(place: str, value: Any, component: Any) -> Iterator[Finding]:
    """Check that the weights of losses are numbers. The model checks their names when it is built."""
    if not hasattr(component, 'LOSS_WEIGHTS'):
        return
    if not isinstance(value, Mapping):
        yield Finding(place, f'is {short(value)}', 'a dict of numbers', 'dict(_delete_=True) gives the default weights')
        return
    for name, weight in value.items():
        if name not in MARKS:
            yield from filter(None, [check_rule(joined(place, name), weight, NOT_NEGATIVE)])


def check_keys_of_owner(place: str, node: Any, name: str, readers: Iterable[Any]) -> Iterator[Finding]:
    """Compare the keys of a dict with the keys that the source of its readers uses."""
    if not isinstance(node, (Mapping, type(None))):
        yield Finding(place, f'is {short(node)}', 'a dict')
    if not isinstance(node, Mapping) or 'type' in node:
        return
    known = keys_read(name, *readers)
    if not known:
        return
    if name in ('test_cfg', 'train_cfg') and passes_on(name, *readers):
        yield from near_misses(place, node, known, name)
    else:
        for key in node:
            if key not in known and key not in MARKS:
                yield unknown_key(place, key, name, known)
    if name == 'test_cfg':
        yield from check_windows(
            place, node, any(issubclass(one, EncoderDecoder) and not issubclass(one, DepthEstimator) for one in readers)
        )


def check_windows(place: str, node: Mapping, usual: bool) -> Iterator[Finding]:
    """Check how a segmentor predicts an image: whole, or in sliding windows.

    Args:
        place: Dotted place of ``test_cfg``.
        node: Value of ``test_cfg``.
        usual: Whether the segmentor is an ``EncoderDecoder`` of mmseg, which has these two modes alone.
    """
    mode = node.get('mode', 'whole')
    if usual and mode not in ('whole', 'slide'):
        yield Finding(joined(place, 'mode'), f'is {short(mode)}', "'whole' or 'slide'")
    if mode == 'slide':
        for key in ('crop_size', 'stride'):
            value = node.get(key)
            if not (
                isinstance(value, (list, tuple)) and len(value) == 2 and all(number(one) and one > 0 for one in value)
            ):
                found = f'is {short(value)}' if key in node else "is missing, but mode='slide'"
                yield Finding(joined(place, key), found, 'two positive numbers, (H, W)')
    elif mode == 'whole' and 'mode' in node and ('crop_size' in node or 'stride' in node):
        yield Finding(joined(place, 'mode'), "is 'whole', so crop_size and stride have no effect", level='warning')


def near_misses(place: str, node: Mapping, known: Iterable[str], owner: str) -> Iterator[Finding]:
    """Check a dict that can hold any key: a key that is similar to a known one is a misspelling."""
    names = set(known)
    for key in node:
        if key not in names and key not in MARKS and difflib.get_close_matches(key, names, n=1, cutoff=0.8):
            yield unknown_key(place, key, owner, names)


def owners(node: Any) -> set[Any]:
    """Return the classes of a component and of all its parts, without modules of PyTorch."""
    found: set[Any] = set()
    if isinstance(node, Mapping):
        component = find(node['type'], MODELS) if 'type' in node else None
        if isinstance(component, type) and not (
            component.__module__.startswith('torch') and issubclass(component, nn.Module)
        ):
            found.add(component)
        parts: Iterable[Any] = node.values()
    else:
        parts = node if isinstance(node, (list, tuple)) else ()
    for part in parts:
        if isinstance(part, (Mapping, list, tuple)):
            found |= owners(part)
    return found


def _inherited(registry: Registry | None) -> Registry | None:
    """Return the registry for parts whose key names none: MODELS in models, whose parts have many names, else None."""
    return MODELS if registry is MODELS else None
