"""Which batch-norm layers are estimated, and in which order."""

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmseg.structures import SegDataSample
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


class Sizes(Branches):
    """Branches that record the sizes of their images, and may refuse small ones or treat large ones differently."""

    def __init__(self, smallest: int = 0, windows: bool = False) -> None:
        super().__init__()
        self.smallest, self.windows, self.seen = smallest, windows, []

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> torch.Tensor:
        self.seen.append(tuple(inputs.shape[-2:]))
        if inputs.shape[-1] < self.smallest:
            raise RuntimeError('too small')
        if not self.windows:
            return super().forward(inputs)
        return torch.cat([super(Sizes, self).forward(part) for part in inputs.split(128, dim=-1)], dim=-1)


def large_batch() -> dict:
    return dict(inputs=torch.rand(2, 2, 140, 300, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize('windows', [False, True])
def test_large_images_are_planned_with_a_crop(windows):
    model = Sizes(windows=windows).eval()
    plan = plan_passes(model, estimated_layers(model), large_batch())
    assert plan == ([['short', 'long.0'], ['long.3'], ['after']], not windows)
    assert model.seen == [(140, 300)] + [(128, 128)] * 5, 'only one forward pass may have the whole images'


def test_a_crop_has_its_own_metadata():
    sample = SegDataSample(metainfo=dict(ori_shape=(280, 600), img_shape=(140, 300), img_path='a.png'))
    metas = []

    class Reads(Branches):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            metas.append(dict(data_samples[0].metainfo))
            return super().forward(inputs)

    model = Reads().eval()
    plan_passes(model, estimated_layers(model), dict(large_batch(), data_samples=[sample] * 2))
    assert (
        metas[1] == dict(ori_shape=(128, 128), img_shape=(128, 128), img_path='a.png') and metas[0] == sample.metainfo
    )


class LargeOnly(Branches):
    """Branches in which only large images go through the short one first."""

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> torch.Tensor:
        return super().forward(inputs) if inputs.shape[-1] > 128 else self.after(self.long(inputs))


@pytest.mark.parametrize(
    ('model', 'reason'),
    [
        (Sizes(smallest=200), 'planned with whole images: it does not take a crop of them (RuntimeError: too small)'),
        (LargeOnly(), 'planned with whole images: a crop of them goes through its layers in another order'),
    ],
)
def test_whole_images_are_used_where_a_crop_does_not_do(caplog, model, reason):
    MMLogger.get_instance('test_plan').addHandler(caplog.handler)
    model.eval()
    assert plan_passes(model, estimated_layers(model), large_batch()).groups == [
        ['short', 'long.0'],
        ['long.3'],
        ['after'],
    ]
    assert reason in caplog.text


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
