"""Backbone, head, discriminator, segmentor and preprocessor on small inputs."""

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from toolbox import pair_batch, side, tiny_adaptor, tiny_segmentor

from mmuda.models import (
    AdaptiveEncoderDecoder,
    DeepLabResNet,
    DeepLabV2Head,
    DeepLabVGG16,
    FCDiscriminatorHead,
    LogitEnsemble,
)
from mmuda.models.losses import cross_entropy


def test_resnet_sizes_are_those_of_the_papers():
    net = DeepLabResNet(depth=18, base_channels=2, stem_channels=2, style='pytorch')
    with torch.no_grad():
        features = net(torch.zeros(1, 3, 720, 1280))
    assert [tuple(f.shape[-2:]) for f in features] == [(181, 321), (91, 161), (91, 161), (91, 161)]


def test_resnet_batch_norm_is_frozen_but_counts():
    net = DeepLabResNet(depth=18, base_channels=2, stem_channels=2, style='pytorch')
    net.train()
    net(torch.rand(2, 3, 32, 32))
    assert not net.bn1.weight.requires_grad and net.bn1.training and net.bn1.running_mean.abs().sum() > 0


def test_bottleneck_stride_is_in_the_first_convolution():
    net = DeepLabResNet(depth=50, base_channels=2, stem_channels=2)
    assert net.layer2[0].conv1.stride == (2, 2) and net.layer2[0].conv2.stride == (1, 1)
    assert all(block.conv2.dilation == (4, 4) for block in net.layer4)


def test_vgg_scales_with_its_first_width():
    net = DeepLabVGG16(base_channels=2)
    with torch.no_grad():
        (features,) = net(torch.zeros(2, 3, 47, 64))
    assert features.shape == (2, 32, 5, 8)
    widths = [conv.out_channels for conv in net.features if isinstance(conv, torch.nn.Conv2d)]
    assert widths == [2, 2, 4, 4, 8, 8, 8, 16, 16, 16, 16, 16, 16, 32, 32]


def test_head_sums_what_it_is_told_and_leaves_the_rest_alone():
    head = DeepLabV2Head(6, 3, summed=(0, 1), in_index=0)
    x = torch.rand(1, 6, 30, 30)
    assert torch.equal(head((x,)), head.branches[0](x) + head.branches[1](x))
    assert [b.weight.requires_grad for b in head.branches] == [True, True, False, False]
    assert head.branches[0].weight.std() < 0.02, 'weights start from N(0, 0.01)'


@pytest.mark.parametrize('summed', [(), (0, 4), (-1,)])
def test_head_refuses_branches_that_do_not_exist(summed):
    with pytest.raises(ValueError, match='must name some of the 4 branches'):
        DeepLabV2Head(6, 3, summed=summed)


def test_discriminator_size_and_limit():
    critic = FCDiscriminatorHead(19)
    assert sum(p.numel() for p in critic.parameters()) == 2781121  # as published
    assert critic(torch.zeros(1, 19, 64, 100)).shape == (1, 1, 2, 3)
    with pytest.raises(ValueError, match='at least 32 pixels'):
        critic(torch.zeros(1, 19, 31, 64))


def test_outputs_name_levels_and_detach():
    net = MODELS.build(tiny_segmentor())
    outputs = net(torch.rand(2, 3, 40, 56), mode='outputs')
    assert outputs.levels == ('aux', 'main') and len(outputs.features) == 4 and outputs.size == (40, 56)
    assert outputs.upsample('main').shape == (2, 4, 40, 56)
    bare = outputs.detach(features=False)
    assert not bare.features and not bare.logits['main'].requires_grad
    assert torch.equal(bare.upsample('aux'), outputs.upsample('aux'))


def test_prediction_is_upsampled_once():
    net: AdaptiveEncoderDecoder = MODELS.build(tiny_segmentor()).eval()
    images = torch.rand(1, 3, 40, 56)
    sample = side(0, False, batch_size=1)['data_samples'][0]
    sample.set_metainfo(dict(ori_shape=(81, 113)))
    with torch.no_grad():
        (predicted,) = net.predict(images, [sample])
        low = net(images)
    wanted = torch.nn.functional.interpolate(low, size=(81, 113), mode='bilinear', align_corners=True)[0]
    assert torch.equal(predicted.seg_logits.data, wanted)


def test_padded_and_sliding_predictions_go_mmsegs_way():
    cfg = tiny_segmentor()
    cfg.test_cfg = dict(mode='slide', crop_size=(32, 32), stride=(24, 24))
    sample = side(0, False, batch_size=1)['data_samples'][0]
    with torch.no_grad():
        (slid,) = MODELS.build(cfg).eval().predict(torch.rand(1, 3, 40, 56), [sample])
    assert slid.pred_sem_seg.data.shape == (1, 40, 56)
    padded = side(0, False, batch_size=1)['data_samples'][0]
    padded.set_metainfo(dict(img_padding_size=(0, 8, 0, 8), img_shape=(40, 56), pad_shape=(48, 64), ori_shape=(40, 56)))
    with torch.no_grad():
        (cut,) = MODELS.build(tiny_segmentor()).eval().predict(torch.rand(1, 3, 48, 64), [padded])
    assert cut.pred_sem_seg.data.shape == (1, 40, 56)


def test_preprocessor_treats_sides_apart_and_plain_batches_as_mmseg():
    preprocessor = MODELS.build(dict(type='DomainPairPreprocessor', mean=[1.0, 2.0, 3.0], std=[2.0, 2.0, 2.0]))
    data = pair_batch()
    out = preprocessor(data, training=True)
    assert out['source']['inputs'].shape == (2, 3, 40, 56) and out['target']['inputs'].shape == (2, 3, 48, 40)
    image = data['target']['inputs'][1].float()
    wanted = (image - torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)) / 2
    assert torch.equal(out['target']['inputs'][1], wanted)
    assert 'gt_sem_seg' in out['source']['data_samples'][0] and 'gt_sem_seg' not in out['target']['data_samples'][0]
    plain = preprocessor(side(3, True), training=False)
    assert plain['inputs'].shape == (2, 3, 40, 56)


def test_preprocessor_pads_different_sizes_with_ignore():
    data = pair_batch()
    small = side(5, True, size=(32, 32), batch_size=1)
    data['source'] = dict(
        inputs=[data['source']['inputs'][0], small['inputs'][0]],
        data_samples=[data['source']['data_samples'][0], small['data_samples'][0]],
    )
    out = MODELS.build(dict(type='DomainPairPreprocessor'))(data, training=True)['source']
    assert out['inputs'].shape == (2, 3, 40, 56)
    assert (out['data_samples'][1].gt_sem_seg.data[:, 32:] == 255).all()


def test_ensemble_sums_logits():
    models = [tiny_adaptor('SourceOnly'), tiny_adaptor('MinEnt')]
    for seed, model in enumerate(models):
        torch.manual_seed(seed)
        torch.nn.init.normal_(model.segmentor.decode_head.branches[0].weight)
    cfgs = [
        ConfigDict(
            type=type(m).__name__, segmentor=tiny_segmentor(), data_preprocessor=dict(type='DomainPairPreprocessor')
        )
        for m in models
    ]
    ensemble = LogitEnsemble(cfgs, weights=[0.25, 0.75]).eval()
    for ours, given in zip(ensemble.models, models, strict=True):
        ours.load_state_dict(given.state_dict())
    data = side(0, True)
    with torch.no_grad():
        merged = ensemble.test_step(data)
        single = [m.eval().test_step(side(0, True)) for m in models]
    wanted = 0.25 * single[0][1].seg_logits.data + 0.75 * single[1][1].seg_logits.data
    torch.testing.assert_close(merged[1].seg_logits.data, wanted)
    assert torch.equal(merged[1].pred_sem_seg.data[0], wanted.argmax(0))
    with pytest.raises(ValueError, match='2 models but 1 weights'):
        LogitEnsemble(cfgs, weights=[1.0])


def test_cross_entropy_of_nothing_is_a_differentiable_zero():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = cross_entropy(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(logits.grad).all() and logits.grad.abs().sum() == 0


def test_cross_entropy_ignores_negative_labels():
    logits = torch.randn(1, 3, 2, 2)
    labels = torch.tensor([[[0, -1], [255, 2]]])
    log_p = logits.log_softmax(1)
    wanted = -(log_p[0, 0, 0, 0] + log_p[0, 2, 1, 1]) / 2
    np.testing.assert_allclose(cross_entropy(logits, labels), wanted, rtol=1e-6)
