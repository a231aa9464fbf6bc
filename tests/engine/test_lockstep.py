"""Forward passes that wait for each other."""

import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from mmuda.engine.lockstep import DifferentOrderError, forward_in_lockstep


class Network(BaseModel):
    """Two layers; images higher than `high` go through the second one only, and images above `limit` fail."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
        self.high, self.limit = 9, 99

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> torch.Tensor:
        if inputs.shape[2] > self.limit:
            raise MemoryError('too large')
        return self.second(inputs if inputs.shape[2] > self.high else self.first(inputs))


def batches(*heights: int) -> list[dict]:
    generator = torch.Generator().manual_seed(0)
    return [dict(inputs=torch.rand(2, 2, height, 5, generator=generator)) for height in heights]


def test_a_layer_gets_all_batches_before_it_processes_one():
    model, data, seen = Network().eval(), batches(3, 4, 5), []

    def take(name: str, layer: nn.BatchNorm2d, inputs: list[torch.Tensor]) -> None:
        assert torch.is_inference_mode_enabled() or not torch.is_grad_enabled()
        seen.append((name, [one.shape[2] for one in inputs]))
        layer.running_mean.fill_(sum(one.shape[2] for one in inputs))
        if name == 'second':
            for one, batch in zip(inputs, data, strict=True):
                wanted = (batch['inputs'] - 12) / (1 + layer.eps) ** 0.5
                torch.testing.assert_close(one, wanted)

    layers = dict(first=model.first, second=model.second)
    forward_in_lockstep(model, layers, data, take)
    assert seen == [('first', [3, 4, 5]), ('second', [3, 4, 5])]
    assert not any(layer._forward_pre_hooks for layer in model.modules())


def test_batches_in_different_orders_are_an_error():
    model = Network().eval()
    layers = dict(first=model.first, second=model.second)
    with pytest.raises(DifferentOrderError, match='batches go through first and second at once'):
        forward_in_lockstep(model, layers, batches(3, 12), lambda *_: None)
    with pytest.raises(DifferentOrderError, match='batches go through the end and first at once'):
        forward_in_lockstep(model, dict(first=model.first), batches(12, 3), lambda *_: None)


@pytest.mark.parametrize('heights', [(3, 4, 120), (120, 3, 4)])
def test_the_error_of_one_batch_ends_all(heights):
    model = Network().eval()
    with pytest.raises(MemoryError, match='too large'):
        forward_in_lockstep(model, dict(first=model.first, second=model.second), batches(*heights), lambda *_: None)


def test_the_error_of_the_function_ends_all():
    model = Network().eval()

    def take(name: str, layer: nn.Module, inputs: list[torch.Tensor]) -> None:
        raise FloatingPointError(name)

    with pytest.raises(FloatingPointError, match='first'):
        forward_in_lockstep(model, dict(first=model.first), batches(3, 4), take)
