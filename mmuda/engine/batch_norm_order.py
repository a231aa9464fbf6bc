"""Which batch-norm layers of a network depend on which: the order in which statistics are estimated."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmuda.internals import BatchNorm
from mmuda.ranks import unwrap


class NothingToEstimateError(ValueError):
    """A network has no batch-norm layer whose statistics could be estimated."""


class Plan(NamedTuple):
    """Passes over the images, one after the other.

    Attributes:
        groups: Names of the layers that are estimated in each pass, in the order in which images reach them.
        ends_early: Whether images need not go on behind the last layer of a pass.
    """

    groups: list[list[str]]
    ends_early: bool


def estimated_layers(model: nn.Module) -> dict[str, Any]:
    """Return the batch-norm layers by name whose running statistics a training moves.

    Layers that stay in eval mode when the model is put into train mode (``norm_eval``, frozen children) are left out:
    their statistics are constants of the network, as its method wants them.

    Args:
        model: A model without wrappers. Its mode is not changed.

    Raises:
        NothingToEstimateError: If there is none.
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
    """Find out which layers depend on which.

    Layers that are not estimated yet hand out NaN, which reaches everything that depends on them. A pass may end at its
    last layer if images go through the network as a whole, once, and all images of a batch together.

    Args:
        model: Model in eval mode with ``test_step``.
        layers: Layers to estimate, by name.
        batch: A collated test batch of two images.

    Raises:
        NothingToEstimateError: If a prediction goes through none of the layers.
        FloatingPointError: If the input of a layer has NaN whatever the layers before it do, or is its own output.
    """
    groups: list[list[str]] = []
    once = True
    while True:
        done = {name for group in groups for name in group}
        poison = _Poison(done)
        with hooked(layers, poison.look, after=True), torch.no_grad():
            model.test_step(batch)
        once = once and all(calls == 1 for calls in poison.calls.values())
        group = [name for name, sound in poison.sound.items() if sound and name not in done]
        if not group:
            break
        groups.append(group)
    lost = [name for name in poison.sound if name not in done]
    if lost:
        raise FloatingPointError(
            f'the batch-norm layer {lost[0]} cannot be estimated: its input is NaN for the first target image, look at '
            'the weights; or the layer gets its own output, which no order of estimation allows'
        )
    if not groups:
        raise nothing_estimated(model, layers)
    return Plan(groups, once and sees_whole_images(model))


def nothing_estimated(model: nn.Module, layers: Mapping[str, nn.Module]) -> NothingToEstimateError:
    """Return the error for a network whose predictions go through none of its layers."""
    return NothingToEstimateError(
        f'predictions of this {type(model).__name__} go through none of its {len(layers)} batch-norm layers'
    )


def sees_whole_images(model: Any) -> bool:
    """Return whether a test puts whole images into the network, and no windows of them."""
    test_cfg = getattr(unwrap(getattr(model, 'segmentor', model)), 'test_cfg', None)
    return test_cfg is not None and test_cfg.get('mode', 'whole') == 'whole'


@contextmanager
def hooked(layers: Mapping[str, nn.Module], hook: Callable[..., Any], after: bool = False) -> Iterator[None]:
    """Show the inputs of layers to a hook inside of a ``with`` block.

    Args:
        layers: Layers by name.
        hook: Called with name, layer and inputs before each call of a layer.
        after: Call it after the layer instead, with the output as a fourth argument, which a result replaces.
    """
    register = nn.Module.register_forward_hook if after else nn.Module.register_forward_pre_hook
    handles = [register(layer, partial(hook, name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Poison:
    """Lets layers hand out NaN.

    Attributes:
        calls: Number of calls by layer.
        sound: Whether all inputs of a layer were free of NaN, in the order of the first calls.

    Args:
        done: Names of those that work as usual.
    """

    def __init__(self, done: set[str]) -> None:
        self.done = done
        self.calls: dict[str, int] = {}
        self.sound: dict[str, bool] = {}

    def look(self, name: str, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        """Note a call of a layer; return NaN in place of its output."""
        self.calls[name] = self.calls.get(name, 0) + 1
        self.sound[name] = self.sound.get(name, True) and not bool(inputs[0].isnan().any())
        return None if name in self.done else torch.full_like(output, float('nan'))
