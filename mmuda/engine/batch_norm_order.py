"""The order in which batch-norm statistics are estimated, from the dependencies between the layers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmuda.internals import BatchNorm
from mmuda.progress import ProgressDisplay
from mmuda.ranks import unwrap

PLANNING_SIDE = 128
"""Largest side, in pixels, of the images with which passes are planned."""

SIZES = ('img_shape', 'ori_shape', 'pad_shape')
"""Keys of the metadata of a sample that hold the size of its image."""


class NothingToEstimateError(ValueError):
    """Error about a network without a batch-norm layer whose statistics can be estimated."""


class Plan(NamedTuple):
    """Passes over the images, in their order.

    Attributes:
        groups: Names of the layers that are estimated in each pass, in the order in which images reach them.
        ends_early: Whether the forward pass can stop at the last layer of a pass.
    """

    groups: list[list[str]]
    ends_early: bool


def estimated_layers(model: nn.Module) -> dict[str, Any]:
    """Return the batch-norm layers, by name, whose running statistics change in a training.

    Layers that stay in eval mode when the model is put into train mode (``norm_eval``, frozen children) are left out:
    in their method these statistics are constants of the network.

    Args:
        model: A model without wrappers. Its mode is not changed.

    Raises:
        NothingToEstimateError: If there is no such layer.
    """
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, BatchNorm) and layer.running_mean is not None
    }
    training = model.training
    model.train()
    moving = {name: layer for name, layer in layers.items() if layer.training}
    model.train(training)
    if not moving:
        reason = 'it has no batch-norm layer with running statistics'
        if layers:
            reason = (
                f'all {len(layers)} batch-norm layers stay in eval mode in training, their statistics are constants'
            )
        raise NothingToEstimateError(
            f'batch-norm statistics of the target cannot be estimated for this {type(model).__name__}: {reason}. Test '
            'it with the statistics that it has'
        )
    return moving


def plan_passes(model: Any, layers: Mapping[str, nn.Module], batch: dict) -> Plan:
    """Find the dependencies between layers, and return the passes that estimate them.

    Layers that are not estimated yet return NaN, which reaches every layer that depends on them. This takes a forward
    pass for each group of layers, with a crop of the images if it goes through the layers in the same order. A pass can
    end at its last layer if images go through the network whole, once, and all images of a batch together. A forward
    pass of the whole images finds this out.

    Args:
        model: Model in eval mode with ``test_step``.
        layers: Layers to estimate, by name.
        batch: A collated test batch of two images.

    Raises:
        NothingToEstimateError: If a prediction uses none of the layers.
        FloatingPointError: If the input of a layer is NaN although all layers before it are estimated, or depends on
            the output of the same layer.
    """
    calls = _calls(model, layers, batch)
    batch = _for_planning(model, layers, batch, calls)
    groups: list[list[str]] = []
    with ProgressDisplay(len(set(calls)), 'batch-norm, planning', 'layers') as display:
        while True:
            done = {name for group in groups for name in group}
            poison = _Poison(done)
            with hooked(layers, poison.look, after=True), torch.no_grad():
                model.test_step(batch)
            group = [name for name, sound in poison.sound.items() if sound and name not in done]
            if not group:
                break
            groups.append(group)
            display.update(len(group))
    lost = [name for name in poison.sound if name not in done]
    if lost:
        raise FloatingPointError(
            f'the batch-norm layer {lost[0]} cannot be estimated: its input is NaN for the first target image (check '
            'the weights), or it depends on its own output, so that no order of estimation exists'
        )
    if not groups:
        raise nothing_estimated(model, layers)
    return Plan(groups, len(calls) == len(set(calls)) and sees_whole_images(model))


def _calls(model: Any, layers: Mapping[str, nn.Module], batch: dict) -> list[str]:
    """Return the names of layers in the order in which a batch goes through them, once for each call."""
    calls: list[str] = []
    with hooked(layers, lambda name, *_: calls.append(name)), torch.no_grad():
        model.test_step(batch)
    return calls


def _for_planning(model: Any, layers: Mapping[str, nn.Module], batch: dict, calls: list[str]) -> dict:
    """Return a crop of a batch that gives the same plan, or the batch itself if there is none.

    A crop gives the same plan if it goes through the layers in the same order as the batch. A batch that is cut into
    windows repeats this order for each window.

    Args:
        model: As in :func:`plan_passes`.
        layers: As in :func:`plan_passes`.
        batch: As in :func:`plan_passes`.
        calls: Order of the layers for the batch.
    """
    small = _crop(batch)
    if small is None:
        return batch
    try:
        found = _calls(model, layers, small)
    except Exception as error:  # layers raise errors of many types for images that are too small
        reason = f'it does not take a crop of them ({type(error).__name__}: {error})'
    else:
        if not calls or (found and calls == found * (len(calls) // len(found))):
            return small
        reason = 'a crop of them goes through its layers in another order'
    print_log(f'the passes of this {type(model).__name__} are planned with whole images: {reason}', logger='current')
    return batch


def _crop(batch: dict) -> dict | None:
    """Return a copy of a batch with the upper left corners of its images; None if they are small already."""
    images = batch['inputs']
    if max(images[0].shape[-2:]) <= PLANNING_SIDE:
        return None
    crops = [image[..., :PLANNING_SIDE, :PLANNING_SIDE] for image in images]
    small = dict(batch, inputs=torch.stack(crops) if isinstance(images, Tensor) else crops)
    if 'data_samples' in batch:
        size = tuple(crops[0].shape[-2:])
        metas = [sample.metainfo for sample in batch['data_samples']]
        small['data_samples'] = [
            type(sample)(metainfo={key: size if key in SIZES else value for key, value in meta.items()})
            for sample, meta in zip(batch['data_samples'], metas, strict=True)
        ]
    return small


def nothing_estimated(model: nn.Module, layers: Mapping[str, nn.Module]) -> NothingToEstimateError:
    """Return the error for a network whose predictions use none of its layers."""
    return NothingToEstimateError(
        f'predictions of this {type(model).__name__} go through none of its {len(layers)} batch-norm layers'
    )


def sees_whole_images(model: Any) -> bool:
    """Return whether a test puts whole images into the network, not sliding windows."""
    test_cfg = getattr(unwrap(getattr(model, 'segmentor', model)), 'test_cfg', None)
    return test_cfg is not None and test_cfg.get('mode', 'whole') == 'whole'


@contextmanager
def hooked(layers: Mapping[str, nn.Module], hook: Callable[..., Any], after: bool = False) -> Iterator[None]:
    """Call a hook with the inputs of layers inside a ``with`` block.

    Args:
        layers: Layers by name.
        hook: Function that is called with name, layer and inputs before each call of a layer.
        after: Call the hook after the layer, with the output as fourth argument. A result of the hook replaces the
            output.
    """
    register = nn.Module.register_forward_hook if after else nn.Module.register_forward_pre_hook
    handles = [register(layer, partial(hook, name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Poison:
    """Hook that replaces the outputs of layers by NaN.

    Attributes:
        sound: Whether all inputs of a layer were free of NaN, in the order of the first calls.

    Args:
        done: Names of the layers whose outputs are kept.
    """

    def __init__(self, done: set[str]) -> None:
        self.done = done
        self.sound: dict[str, bool] = {}

    def look(self, name: str, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        """Record a call of a layer; return NaN in place of its output, or None to keep it."""
        self.sound[name] = self.sound.get(name, True) and not bool(inputs[0].isnan().any())
        return None if name in self.done else torch.full_like(output, float('nan'))
