"""Checks of networks and optimizers, which are built without memory or files: channels and ``custom_keys``."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from mmuda.engine.optim import PerModuleOptimWrapperConstructor
from mmuda.internals import BatchNorm
from mmuda.models.adaptors.adversarial import DomainAdversary
from mmuda.models.building import build_without_memory
from mmuda.models.segmentors import AdaptiveEncoderDecoder, SegOutputs
from mmuda.models.segmentors.head_outputs import class_levels, class_logits

from .finding import ERROR, WARNING, Finding, nearest, one_line
from .keys import MARKS
from .registries import find
from .signatures import attributes_of

IMAGES = (1, 3, 256, 256)
"""Shape (N, C, H, W) of the images for the forward pass on the meta device, which computes shapes alone."""


def check_network(cfg: Config, with_optimizers: bool = True) -> Iterator[Finding]:
    """Build the model of a training and its optimizers without allocating weights, and compare channels.

    Args:
        cfg: Config of a training.
        with_optimizers: Whether to build the optimizers as well.
    """
    try:
        model = build_without_memory(cfg.model)
    except Exception as error:  # a run would end with the same error
        yield Finding('model', one_line(error))
        return
    yield from check_channels(model)
    node = cfg.get('optim_wrapper')
    if with_optimizers and isinstance(node, Mapping):
        kind = find(node.get('constructor'), OPTIM_WRAPPER_CONSTRUCTORS)
        if kind is PerModuleOptimWrapperConstructor:
            try:
                kind({key: value for key, value in node.items() if key != 'constructor'})(model)
            except Exception as error:
                yield Finding('optim_wrapper', one_line(error))
            else:
                for name, entry in node.items():
                    if isinstance(entry, Mapping):
                        yield from _check_custom_keys(f'optim_wrapper.{name}', entry, getattr(model, name, model))
        elif 'optimizer' in node:
            yield from _check_custom_keys('optim_wrapper', node, model)


def _check_custom_keys(place: str, entry: Mapping, module: nn.Module) -> Iterator[Finding]:
    """Check that each entry of ``custom_keys`` is in the name of a parameter: otherwise it has no effect.

    An entry that names a part which this network could have is accepted, because networks share schedules and some, for
    example, have no neck. A part is possible if a class of the network has an attribute or argument of that name. Lists
    of parameters without weight decay are copied from network to network (the list of mmseg's SegFormer has a
    ``pos_block``). An entry that only changes the weight decay is therefore an error if it is similar to a name, and
    else a warning.
    """
    names = [name for name, _ in module.named_parameters()]
    parts = {part for name in names for part in name.split('.') if not part.isdigit()}
    possible: set[str] | None = None
    for key, options in ((entry.get('paramwise_cfg') or {}).get('custom_keys') or {}).items():
        # mmengine compares with '.name' for parameters of the module itself.
        if key in MARKS or any(key in name or key in f'.{name}' for name in names):
            continue
        if possible is None:
            kinds: set[Any] = {type(one) for one in module.modules()}
            possible = {name for kind in kinds for name in attributes_of(kind)}
        if not {part for part in key.split('.') if part and not part.isdigit()} <= possible | parts:
            found = f'no parameter of the {type(module).__name__} has {key!r} in its name'
            harmless = isinstance(options, Mapping) and set(options) <= {'decay_mult'} and not _is_slip(key, parts)
            level = WARNING if harmless else ERROR
            yield Finding(f'{place}.paramwise_cfg.custom_keys.{key}', found, remedy=nearest(key, parts), level=level)


def _is_slip(key: str, parts: set[str]) -> bool:
    """Return whether a part of a key is a misspelt part of a name. The same name with another number is not."""
    known = {part.rstrip('0123456789') for part in parts} | parts
    left = [part for part in key.split('.') if part and part.rstrip('0123456789') not in known and part not in known]
    return any(difflib.get_close_matches(part, parts, n=1, cutoff=0.8) for part in left)


@torch.no_grad()
def check_channels(model: Any) -> Iterator[Finding]:
    """Compare the output channels of a backbone with the input channels of heads and discriminators.

    The model cannot be used afterwards. Networks that cannot run on the meta device, or that need images of another
    shape, are not checked.
    """
    segmentor = getattr(model, 'segmentor', model)
    prefix = 'model.segmentor' if segmentor is not model else 'model'
    device = next((parameter.device for parameter in model.parameters()), torch.device('cpu'))
    for module in model.eval().modules():
        if isinstance(module, BatchNorm):  # it takes most of the time on the meta device, and keeps the shape
            module.forward = lambda input: input  # type: ignore[method-assign]
    images = torch.zeros(IMAGES, device=device)
    try:
        features = segmentor.extract_feat(images)
    except Exception:
        return
    if not isinstance(features, (list, tuple)) or not all(isinstance(one, torch.Tensor) for one in features):
        return  # transformers can return a class token beside each feature map
    segmentor.extract_feat = lambda inputs: features
    wrong = False
    for name in ('decode_head', 'auxiliary_head'):
        heads = getattr(segmentor, name, None)
        for number, head in enumerate(heads) if isinstance(heads, nn.ModuleList) else [('', heads)]:
            place = f'{prefix}.{name}' + (f'.{number}' if number != '' else '')
            for finding in _check_head(place, head, features):
                wrong = True
                yield finding
    if isinstance(segmentor, AdaptiveEncoderDecoder) and not wrong:
        yield from _check_outputs(segmentor, prefix, features)
    if isinstance(model, DomainAdversary) and not wrong:
        try:
            outputs = model.segment({'inputs': images})
        except Exception:
            return
        yield from _check_discriminators(model, outputs)


def _check_outputs(segmentor: AdaptiveEncoderDecoder, prefix: str, features: Any) -> Iterator[Finding]:
    """Check that heads give class logits, see :func:`class_logits`, if they can run without memory."""
    heads = segmentor.heads()
    for level in class_levels(segmentor):
        try:
            output = heads[level](features)
        except Exception:
            continue
        try:
            class_logits(heads[level], level, output)
        except TypeError as error:
            yield Finding(f'{prefix}.{"decode_head" if level == "main" else "auxiliary_head"}', one_line(error))


def _check_head(place: str, head: Any, features: Any) -> Iterator[Finding]:
    index, channels = getattr(head, 'in_index', None), getattr(head, 'in_channels', None)
    for one in index if isinstance(index, (list, tuple)) else [index]:
        if isinstance(one, int) and not -len(features) <= one < len(features):
            yield Finding(
                f'{place}.in_index',
                f'is {one}, but the backbone gives {len(features)} feature maps',
                f'at most {len(features) - 1}',
            )
            return
    given: Any
    if isinstance(index, int) and isinstance(channels, int):
        given = features[index].shape[1]
    elif isinstance(index, (list, tuple)):
        given = [features[one].shape[1] for one in index]
        if isinstance(channels, int):
            given = sum(given)
        else:
            channels = list(channels) if isinstance(channels, (list, tuple)) else given
    else:
        return
    if given != channels:
        yield Finding(
            f'{place}.in_channels', f'is {channels}, but the backbone gives {given} channels there', str(given)
        )


def _check_discriminators(model: DomainAdversary, outputs: SegOutputs) -> Iterator[Finding]:
    for level, child in model.discriminators().items():
        first = next((part for part in getattr(model, child).modules() if isinstance(part, nn.Conv2d)), None)
        try:
            seen = model.discriminator_input(outputs, level).shape[1]
        except Exception:
            return
        if first is not None and first.groups == 1 and first.in_channels != seen:
            yield Finding(
                f'model.{child}.in_channels',
                f'is {first.in_channels}, but the discriminator sees {seen} channels',
                str(seen),
            )
