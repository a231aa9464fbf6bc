"""Differences between methods that make their comparison unfair, such as another network or another budget."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmuda.settings import comparable, differences, shortened
from mmuda.stages import network_config

from .methods import Method
from .roots import data_roots

START = ('init_cfg', 'pretrained')
NOT_NETWORK = {*START, 'loss_decode', 'train_cfg', 'data_preprocessor', 'sampler'}
"""Keys of a segmentor that decide how it is trained or where it starts, and not what it computes."""

SIZES = ('size', 'crop_size', 'scale', 'scale_factor', 'ratio_range', 'range')
"""Arguments of transforms that decide how large images are, and how large their objects."""
SAME_SIZE = dict(crop_size='size')
UNCHANGED = 'neither resized nor cropped'
DOMAINS = ('source', 'target')

BUDGET = 'the budget (iterations)'


def differences_between(methods: Sequence[Method], iterations: Mapping[str, int | None] | None = None) -> list[str]:
    """Return one warning for each method and each respect in which it differs from the first source-only method.

    Respects are network, batch, sizes of training images, iterations, starting weights and tested images. Without a
    source-only method, all methods are compared with the first one.

    Args:
        methods: Methods that are compared.
        iterations: Iterations of the finished trainings by the name of the method; by default those of the configs.
    """
    if not methods:
        return []
    first = next((method for method in methods if method.is_source_only), methods[0])
    counts = iterations if iterations is not None else {method.name: method.iterations() for method in methods}
    respects: dict[str, Callable[[Method], Any]] = {
        'the network': _network,
        'the batch': _batches,
        'the sizes of training images': _sizes,
        BUDGET: lambda method: counts.get(method.name),
        'the starting weights': _start,
        'the tested images': _tested,
    }
    warnings: list[str] = []
    for respect, look in respects.items():
        warnings += differences_in(respect, {method.name: look(method) for method in methods}, first.name)
    return warnings


def differences_in(respect: str, values: Mapping[str, Any], first: str) -> list[str]:
    """Return one warning for each method or run that differs from the first one in a respect.

    Args:
        respect: Name of the respect, for the warnings.
        values: Value of each method or run by name. Nothing is compared with None.
        first: Name that the others are compared with.
    """
    warnings = []
    wanted = comparable(values[first])
    for name, value in values.items():
        found = comparable(value)
        if found is None or wanted is None or found == wanted:
            continue
        lines = differences(wanted, found) if isinstance(found, dict) else [f'was {wanted}, is {found}']
        told = '; '.join(shortened([line.removeprefix(': ') for line in lines], 3))
        told = told.replace('was ', f'{first} has ').replace(', is ', f', {name} has ')
        warnings.append(f'{name} differs from {first} in {respect}: {told}')
    return warnings


def _network(method: Method) -> dict[str, Any]:
    model = network_config(method.cfg).model
    return _without(model.get('segmentor', model), NOT_NETWORK)


def _batches(method: Method) -> list[str]:
    """Describe the batches of all trainings; equal ones once."""
    units = []
    for training in method.trainings:
        loader = training.train_dataloader
        summed = ''.join(
            f', {place} of {count} iterations'
            for place, count in _found(training.get('optim_wrapper', {}), ('accumulative_counts',))
            if count != 1
        )
        units.append(f'{loader.get("batch_size", 1)} of {loader.dataset.get("type")}{summed}')
    return list(dict.fromkeys(units))


def _sizes(method: Method) -> dict[str, str]:
    """Describe for each domain the transforms that decide the sizes of images; those of equal trainings once."""
    found: dict[str, list[str]] = {}
    for training in method.trainings:
        for place, pipeline in _found(training.train_dataloader.dataset, ('pipeline',)):
            domain, sizing = place.removesuffix('pipeline').rstrip('.') or 'images', _sizing(pipeline)
            if sizing not in found.setdefault(domain, []):
                found[domain].append(sizing)
    told = {domain: '; then '.join(sizings) for domain, sizings in found.items()}
    return {domain: text for domain, text in told.items() if domain in DOMAINS or text != UNCHANGED}


def _sizing(pipeline: Sequence[Mapping[str, Any]]) -> str:
    """Describe the transforms of a pipeline that change the sizes of images."""
    told = []
    for step in pipeline:
        values = {SAME_SIZE.get(key, key): comparable(step[key]) for key in SIZES if step.get(key) is not None}
        if values:
            told.append(f'{step.get("type")} {", ".join(f"{key}={value}" for key, value in values.items())}')
    return ', '.join(told) or UNCHANGED


def _start(method: Method) -> dict[str, Any]:
    first = method.trainings[0]
    model = first.model.get('segmentor', first.model)
    weights = method.stages[0].weights if method.staged else None
    return dict(load_from=weights or first.get('load_from'), **dict(_found(model, START)))


def _tested(method: Method) -> Any:
    dataset = network_config(method.cfg).test_dataloader.dataset
    return dict(dataset, root=data_roots(dataset, 'dataset'))


def _without(node: Any, keys: set[str]) -> Any:
    """Return a copy of a (nested) value without some keys at any depth."""
    if isinstance(node, dict):
        return {key: _without(value, keys) for key, value in node.items() if key not in keys}
    return [_without(value, keys) for value in node] if isinstance(node, (list, tuple)) else node


def _found(node: Any, keys: Sequence[str], place: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the values of some keys at any depth, with their places."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in keys and value is not None:
                yield f'{place}{key}', value
            else:
                yield from _found(value, keys, f'{place}{key}.')
