"""Which batch-norm layers are estimated, and in which order."""

import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from mmuda.engine.batch_norm_order import NothingToEstimateError, estimated_layers, plan_passes


class Branches(BaseModel):
    """A network with two branches of different length, their sum, and a layer without influence on the prediction."""

    def __init__(self) -> None:
        super().__init__()
        self.after, self.short, self.unused = nn.BatchNorm2d(2), nn.BatchNorm2d(2), nn.BatchNorm2d(2)
        self.long = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(3, 1, 1), nn.BatchNorm2d(2))
        self.test_cfg = dict(mode='whole')

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> torch.Tensor:
        return self.after(self.short(inputs) + self.long(inputs))


def batch() -> dict:
    return dict(inputs=torch.rand(2, 2, 6, 5, generator=torch.Generator().manual_seed(0)))


def test_layers_wait_for_those_before_them():
    model = Branches().eval()
    plan = plan_passes(model, estimated_layers(model), batch())
    assert plan.groups == [['short', 'long.0'], ['long.3'], ['after']] and plan.ends_early
    assert not model.training and not any(layer._forward_hooks for layer in model.modules())


def test_a_pass_does_not_end_early_where_images_pass_twice_or_in_windows():
    model = Branches().eval()
    model.test_cfg = dict(mode='slide')
    assert not plan_passes(model, estimated_layers(model), batch()).ends_early
    model.test_cfg = dict(mode='whole')
    model.long = model.short
    plan = plan_passes(model, estimated_layers(model), batch())
    assert plan.groups == [['short'], ['after']] and not plan.ends_early


def test_a_layer_that_follows_itself_is_one_clear_error():
    model = Branches().eval()
    model.long = nn.Sequential(model.short, model.short)
    with pytest.raises(FloatingPointError, match='or it depends on its own output'):
        plan_passes(model, estimated_layers(model), batch())


def test_layers_that_training_leaves_alone_are_constants():
    model = Branches()
    model.short.train = lambda mode=True: model.short
    model.short.training = False
    assert set(estimated_layers(model)) == {'after', 'unused', 'long.0', 'long.3'}
    assert model.training and model.after.training, 'the call must not change the mode of the network'


def test_a_network_without_batch_norm_is_one_clear_error():
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.GroupNorm(1, 2), nn.BatchNorm2d(2, track_running_stats=False))
    with pytest.raises(
        NothingToEstimateError, match='it has no batch-norm layer with running statistics. Test it with'
    ):
        estimated_layers(model)


def test_a_network_whose_statistics_are_constants_is_one_clear_error():
    model = Branches()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.train = lambda mode=True: None
            layer.training = False
    with pytest.raises(NothingToEstimateError, match='all 5 batch-norm layers stay in eval mode in training'):
        estimated_layers(model)


def test_a_network_that_goes_around_its_layers_is_one_clear_error():
    model = Branches().eval()
    with pytest.raises(NothingToEstimateError, match='predictions of this Branches go through none of its 1'):
        plan_passes(model, dict(unused=model.unused), batch())


def test_weights_of_nan_are_one_clear_error():
    model = Branches().eval()
    nn.init.constant_(model.long[0].weight, float('nan'))
    with pytest.raises(FloatingPointError, match='layer long.3 cannot be estimated: its input is NaN for the first'):
        plan_passes(model, estimated_layers(model), batch())
