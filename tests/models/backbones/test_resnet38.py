"""ResNet-38: sizes, trained parameters, recomputed activations. tests/parity compares stored values."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from toolbox import pair_batch, side

from mmuda.models import ResNet38, ResNet38Head


def test_it_has_the_published_number_of_weights():
    with torch.device('meta'):
        trunk, head = ResNet38(), ResNet38Head(4096, 19)
    assert sum(p.numel() for p in trunk.parameters()) + sum(p.numel() for p in head.parameters()) == 124_033_363
    assert sum(p.numel() for p in head.parameters()) == 18_962_451


@pytest.mark.parametrize('size, out', [((504, 504), (63, 63)), ((61, 64), (8, 8)), ((57, 49), (8, 7))])
def test_sizes_are_rounded_up(size, out):
    with torch.no_grad():
        (features,) = ResNet38(base_channels=1)(torch.rand(1, 3, *size))
    assert features.shape == (1, 64, *out) and features.min() >= 0


def test_statistics_stay_and_the_rest_is_trained():
    net = ResNet38(base_channels=1).train()
    before = net.level3[0].bn1.running_mean.clone()
    net(torch.rand(2, 3, 32, 32))[0].sum().backward()
    assert torch.equal(net.level3[0].bn1.running_mean, before)
    assert all(p.grad is not None for p in net.parameters()), 'scale and shift must have gradients, too'
    assert net.level6[0].dropout.p == 0.3 and net.level7[0].dropout.p == 0.5 and net.level7[0].dropout.training
    moving = ResNet38(base_channels=1, norm_eval=False).train()
    moving(torch.rand(2, 3, 32, 32))
    assert moving.level3[0].bn1.running_mean.abs().sum() > 0


def test_computing_activations_again_changes_nothing():
    torch.manual_seed(0)
    net, image = ResNet38(base_channels=2), torch.rand(1, 3, 40, 40)
    gradients = []
    for with_cp in (False, True):
        net.with_cp = with_cp
        net.zero_grad()
        torch.manual_seed(1)  # for dropout
        net.train()(image)[0].square().mean().backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_weights_start_from_their_fan_in():
    torch.manual_seed(0)
    net, head = ResNet38(base_channels=8), ResNet38Head(512, 5, channels=64)
    net.init_weights()
    head.init_weights()
    for weight in (net.level4[0].conv1.weight, head.conv6a.weight, head.conv_seg.weight):
        wanted = (2 / weight[0].numel()) ** 0.5
        assert weight.std().item() == pytest.approx(wanted, rel=0.05)
    assert head.conv_seg.bias.abs().sum() == 0


def adaptor(type: str, **kwargs):
    torch.manual_seed(0)
    return MODELS.build(
        ConfigDict(
            type=type,
            data_preprocessor=dict(type='DomainPairPreprocessor', test_cfg=dict(size_divisor=8)),
            segmentor=dict(
                type='BicubicEncoderDecoder',
                backbone=dict(type='ResNet38', base_channels=1),
                decode_head=dict(type='ResNet38Head', in_channels=64, channels=8, num_classes=4),
                test_cfg=dict(mode='whole'),
            ),
            **kwargs,
        )
    )


def test_it_predicts_at_the_size_of_the_image():
    model = adaptor('SourceOnly').eval()
    with torch.no_grad():
        samples = model.test_step(side(0, True, size=(37, 50)))
    assert samples[0].pred_sem_seg.data.shape == (1, 37, 50)


def test_source_training_at_the_stride_of_the_network():
    """Labels sampled at the stride are compared with logits without upsampling; labels of other sizes are refused."""
    model = adaptor('SourceOnly')
    batch = model.data_preprocessor(pair_batch(size=(40, 56)), training=True)['source']
    outputs = model.segment(batch)
    full = model.supervised_losses(outputs, batch)['loss_seg_main']
    for sample in batch['data_samples']:
        sample.gt_sem_seg = PixelData(data=sample.gt_sem_seg.data[:, 4::8, 4::8])
    sampled = model.supervised_losses(outputs, batch)['loss_seg_main']
    labels = torch.cat([sample.gt_sem_seg.data for sample in batch['data_samples']])
    wanted = torch.nn.functional.cross_entropy(outputs.logits['main'], labels, ignore_index=255)
    torch.testing.assert_close(sampled, wanted)
    assert full != sampled
    for sample in batch['data_samples']:
        sample.gt_sem_seg = PixelData(data=sample.gt_sem_seg.data[:, 1:])
    message = r'label maps are \(4, 7\), but the main logits are \(5, 7\) and the images \(40, 56\)'
    with pytest.raises(ValueError, match=message):
        model.supervised_losses(outputs, batch)
