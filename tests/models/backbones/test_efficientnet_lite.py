"""EfficientNet-Lite: sizes, dilation, trained parameters, initialisation. tests/parity compares stored activations."""

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn

from mmuda.checkpoints.key_maps import EFFICIENTNET_LITE, rename
from mmuda.checkpoints.packages import installed_file
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.models import EfficientNetLite
from mmuda.models.backbones.efficientnet_lite import RELEASED
from mmuda.models.backbones.efficientnet_lite_blocks import BlockShape, InvertedResidual

STAGES = range(5)


def randomised(**kwargs) -> EfficientNetLite:
    """Return a network with random batch-norm statistics and biases."""
    torch.manual_seed(0)
    net = EfficientNetLite(**kwargs)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.1)
    return net


def norms(net: nn.Module) -> list:
    return [layer for layer in net.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]


# Architecture.


@pytest.mark.parametrize('variant, number', [(0, 4_652_008), (1, 5_416_680), (2, 6_092_072)])
def test_released_weights_fit_exactly(variant, number):
    weights = read_checkpoint(installed_file(RELEASED[variant]))
    net = EfficientNetLite(variant)
    renamed, left_out = rename(weights, EFFICIENTNET_LITE)
    assert {key: value.shape for key, value in renamed.items()} == {
        f'backbone.{key}': value.shape for key, value in net.state_dict().items()
    }
    assert {key.split('.')[0] for key in left_out} == {'_conv_head', '_bn1', '_fc'}
    classifier = sum(weights[key].numel() for key in left_out if key.endswith(('weight', 'bias')))
    assert sum(p.numel() for p in net.parameters()) + classifier == number, (
        'the number of parameters must be the published one'
    )


@pytest.mark.parametrize('output_stride', [8, 16, 32])
@pytest.mark.parametrize('size', [(64, 96), (47, 33), (1, 1)])
def test_sizes_are_rounded_up(output_stride, size):
    with torch.no_grad():
        features = EfficientNetLite(2, output_stride).eval()(torch.rand(1, 3, *size))
    strides = [min(2 ** (stage + 1), output_stride) for stage in STAGES]
    assert [tuple(f.shape[-2:]) for f in features] == [tuple(-(-side // s) for side in size) for s in strides]
    assert [f.shape[1] for f in features] == [16, 24, 48, 120, 352]


@pytest.mark.parametrize('output_stride', [8, 16])
@pytest.mark.parametrize('size', [(128, 64), (97, 65)])
def test_dilation_computes_the_same_at_more_places(output_stride, size):
    """The dilated network has the values of the plain one at every step-th place, from `step - 1` for even sizes."""
    plain, dilated = randomised().eval(), EfficientNetLite(output_stride=output_stride).eval()
    dilated.load_state_dict(plain.state_dict())
    x = torch.rand(2, 3, *size)
    with torch.no_grad():
        for stage, (few, many) in enumerate(zip(plain(x), dilated(x), strict=True)):
            step = max(1, 2 ** (stage + 1) // output_stride)
            start = step - 1 if size[0] % 2 == 0 else 0
            torch.testing.assert_close(many[..., start::step, start::step], few, rtol=0, atol=1e-5 * few.abs().max())


def test_strides_pad_as_tensorflow_does():
    """Strides pad as in TensorFlow: an even size gets one pixel at its end. PyTorch would pad both ends."""
    net = randomised().eval()
    x = torch.rand(1, 3, 8, 8)
    weight = net.stem.conv.weight
    with torch.no_grad():
        wanted = nn.functional.conv2d(nn.functional.pad(x, (0, 1, 0, 1)), weight, stride=2)
        assert torch.equal(net.stem.conv(x), wanted)
        odd = x[..., :7, :7]
        assert torch.equal(net.stem.conv(odd), nn.functional.conv2d(odd, weight, stride=2, padding=1))


def test_stages_that_are_not_handed_out_are_not_run():
    net = randomised(out_indices=(1, 3))
    with torch.no_grad():
        everything = randomised().eval()(torch.ones(1, 3, 64, 64))
        some = net.eval()(torch.ones(1, 3, 64, 64))
    assert net.out_channels == (24, 112) and len(some) == 2
    assert torch.equal(some[0], everything[1]) and torch.equal(some[1], everything[3])
    net.train()(torch.rand(2, 3, 32, 32))[-1].sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in net.parameters())
    assert net.blocks[10].project.conv.weight.requires_grad and not net.blocks[11].project.conv.weight.requires_grad


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(variant=3), r'variant=3, expected one of \(0, 1, 2\)'),
        (dict(output_stride=4), r'output_stride=4, expected one of \(8, 16, 32\)'),
        (dict(out_indices=(1, 5)), r'out_indices=5, expected one of \(0, 1, 2, 3, 4\)'),
        (dict(out_indices=(-1,)), 'out_indices=-1'),
        (dict(out_indices=()), r'out_indices=\(\), expected distinct stages in ascending order'),
        (dict(out_indices=(2, 1)), r'out_indices=\(2, 1\), expected distinct'),
        (dict(frozen_stages=6), r'frozen_stages=6, expected one of \(-1, 0, 1, 2, 3, 4, 5\)'),
        (dict(drop_path_rate=1.0), 'drop_path_rate=1.0, expected a probability below 1'),
    ],
)
def test_a_network_that_does_not_exist_is_refused(wrong, message):
    with pytest.raises(ValueError, match=f'EfficientNetLite: {message}'):
        EfficientNetLite(**wrong)


def test_batch_norm_has_the_constants_of_the_original_unless_told():
    assert {(layer.eps, layer.momentum) for layer in norms(EfficientNetLite())} == {(1e-3, 0.01)}
    synced = EfficientNetLite(norm_cfg=dict(type='SyncBN', momentum=0.1))
    assert {(layer.eps, layer.momentum) for layer in norms(synced)} == {(1e-3, 0.1)}
    assert all(isinstance(layer, nn.SyncBatchNorm) for layer in norms(synced))
    group = EfficientNetLite(norm_cfg=dict(type='GN', num_groups=4))
    assert isinstance(group.stem.bn, nn.GroupNorm) and not norms(group)


# Training.


@pytest.mark.parametrize('frozen_stages, blocks', [(-1, 0), (0, 0), (1, 1), (4, 11), (5, 16)])
def test_frozen_stages(frozen_stages, blocks):
    net = EfficientNetLite(frozen_stages=frozen_stages).train()
    parts = [net.stem, *net.blocks]
    number = 0 if frozen_stages < 0 else 1 + blocks
    assert not any(p.requires_grad for part in parts[:number] for p in part.parameters())
    assert all(p.requires_grad for part in parts[number:] for p in part.parameters())
    assert [layer.training for part in parts for layer in norms(part)] == [
        i >= number for i, part in enumerate(parts) for _ in norms(part)
    ]


@pytest.mark.parametrize('norm_eval', [True, False])
def test_statistics_of_batch_norm(norm_eval):
    net = randomised(norm_eval=norm_eval).train()
    before = [layer.running_mean.clone() for layer in norms(net)]
    sum(f.sum() for f in net(torch.rand(2, 3, 64, 64))).backward()
    stayed = [torch.equal(layer.running_mean, old) for layer, old in zip(norms(net), before, strict=True)]
    assert stayed == [norm_eval] * len(stayed)
    assert all(p.grad is not None for p in net.parameters()), 'scale and shift must have gradients'


@pytest.mark.parametrize('options', [{}, dict(drop_path_rate=0.5), dict(norm_eval=True), dict(frozen_stages=2)])
def test_computing_activations_again_changes_nothing(options):
    """Recomputed activations give the same gradients and update the running statistics only once."""
    x, found = torch.rand(3, 3, 64, 64), []
    for with_cp in (False, True):
        net = randomised(with_cp=with_cp, **options).train()
        torch.manual_seed(1)  # for stochastic depth
        sum(f.square().mean() for f in net(x)).backward()
        found.append(([p.grad for p in net.parameters()], list(net.buffers())))
    (gradients, buffers), (again, buffers_again) = found
    assert all(a is b or torch.equal(a, b) for a, b in zip(gradients, again, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(buffers, buffers_again, strict=True))


def test_activations_that_are_computed_again_are_not_kept():
    sizes = []
    for with_cp in (False, True):
        net, kept = EfficientNetLite(with_cp=with_cp).train(), []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t):
            net(torch.rand(2, 3, 64, 64))
        sizes.append(sum(kept))
    assert sizes[1] < sizes[0] / 4


def test_paths_are_dropped_image_by_image_and_scaled():
    torch.manual_seed(0)
    block = InvertedResidual(BlockShape(4, 4, 3, 6, 1, 1), dict(type='BN'), drop_path=0.25).eval()
    x = torch.rand(64, 4, 5, 5)
    with torch.no_grad():
        residual = block(x) - x
        for layer in (block, block.drop_path):
            layer.training = True  # batch-norm must stay in eval mode
        scales = (block(x) - x).flatten(1).norm(dim=1) / residual.flatten(1).norm(dim=1)
    kept = scales > 0.5
    torch.testing.assert_close(scales, kept / 0.75, rtol=1e-4, atol=1e-4)
    assert 0.6 < kept.float().mean() < 0.9


def test_rates_of_dropped_paths_rise_with_depth():
    net = EfficientNetLite(drop_path_rate=0.2)
    assert [block.drop_path.drop_prob for block in net.blocks] == pytest.approx([0.2 * i / 16 for i in range(16)])
    shortcuts = [i for i, block in enumerate(net.blocks) if block.adds_input]
    assert shortcuts == [2, 4, 6, 7, 9, 10, 12, 13, 14]


# Initialisation.


def test_random_weights_start_from_their_fan_in():
    torch.manual_seed(0)
    net = EfficientNetLite()
    net.init_weights()
    for weight in (net.blocks[10].depthwise.conv.weight, net.blocks[14].project.conv.weight, net.stem.conv.weight):
        assert weight.std().item() == pytest.approx((2 / weight[0].numel()) ** 0.5, rel=0.1)


def started(tmp_path, weights: dict, variant: int = 0) -> EfficientNetLite:
    torch.save(weights, tmp_path / 'start.pth')
    init_default_scope('mmseg')
    net = EfficientNetLite(variant, init_cfg=dict(type='StrictPretrained', checkpoint=str(tmp_path / 'start.pth')))
    net.init_weights()
    return net


@pytest.mark.parametrize('layout', ['released', 'own', 'segmentor', 'adaptor'])
def test_other_files_start_a_network_by_path(tmp_path, layout):
    wanted = randomised().state_dict()
    released = read_checkpoint(installed_file(RELEASED[0]))
    if layout == 'released':
        names = rename({key: key for key in released}, EFFICIENTNET_LITE).weights
        weights = {theirs: wanted[ours.removeprefix('backbone.')] for ours, theirs in names.items()}
        weights['_fc.weight'] = torch.zeros(1000, 1280)
    else:
        prefix = dict(own='', segmentor='backbone.', adaptor='segmentor.backbone.')[layout]
        weights = {prefix + key: value for key, value in wanted.items()}
        if prefix:
            weights[prefix.replace('backbone', 'decode_head') + 'conv_seg.bias'] = torch.zeros(3)
    found = started(tmp_path, dict(state_dict=weights)).state_dict()
    assert all(torch.equal(found[key], value) for key, value in wanted.items())


def test_every_key_that_does_not_fit_is_named(tmp_path):
    weights = read_checkpoint(installed_file(RELEASED[0]))
    del weights['_bn0.bias']
    weights['_blocks.3._bn2.weight'] = torch.ones(7)
    weights['_blocks.16._bn2.weight'] = weights['head.weight'] = torch.ones(1)
    with pytest.raises(RuntimeError) as error:
        started(tmp_path, weights)
    for line in (
        'start.pth does not initialise EfficientNetLite:',
        'missing: stem.bn.bias\n',
        'unexpected: blocks.16.project.bn.weight, head.weight\n',
        'of another shape (checkpoint, model): blocks.3.project.bn.weight (7,) (40,)\n',
    ):
        assert line in str(error.value)
    with pytest.raises(RuntimeError, match=r'(?s)missing: blocks\.16\.depthwise.*of another shape.*blocks\.11\.'):
        started(tmp_path, read_checkpoint(installed_file(RELEASED[0])), variant=2)


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_a_backbone_of_mmseg_starts_strictly_too(tmp_path, prefix):
    """A backbone of mmseg is initialised strictly, too; its layers do not draw their weights again afterwards."""
    cfg = dict(type='MobileNetV2', widen_factor=0.25)
    weights = MODELS.build(cfg).state_dict()
    cfg['init_cfg'] = dict(type='StrictPretrained', checkpoint=str(tmp_path / 'start.pth'))
    torch.save({prefix + key: value for key, value in weights.items()}, tmp_path / 'start.pth')
    net = MODELS.build(cfg)
    net.init_weights()
    assert all(torch.equal(value, weights[key]) for key, value in net.state_dict().items())
    del weights['layer3.0.conv.0.bn.bias']
    torch.save(weights, tmp_path / 'start.pth')
    with pytest.raises(
        RuntimeError, match='start.pth does not initialise MobileNetV2:\n  missing: layer3.0.conv.0.bn.b'
    ):
        MODELS.build(cfg).init_weights()


def test_mmengine_logs_where_the_weights_come_from(tmp_path):
    MMLogger.get_instance(tmp_path.name, log_file=str(tmp_path / 'log.txt'))
    started(tmp_path, EfficientNetLite().state_dict())
    assert f'StrictPretrained: load from {tmp_path}/start.pth' in (tmp_path / 'log.txt').read_text()
