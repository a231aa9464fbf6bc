"""AdaptiveEncoderDecoder: outputs of every head, predictions and class probabilities."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from toolbox import NUM_CLASSES, FussyHead, plain_batch, side, tiny_adaptor, tiny_segmentor

ORIGINAL, INPUT = (60, 84), (41, 53)


def two_images(original=ORIGINAL, **meta) -> dict:
    return plain_batch(INPUT, INPUT, original=original, **meta)


def adaptor(padding=None, **segmentor):
    preprocessor = dict(type='DomainPairPreprocessor', mean=[120.0] * 3, std=[60.0] * 3, test_cfg=padding)
    model = tiny_adaptor(
        'SelfTraining', segmentor={**tiny_segmentor(), **segmentor}, data_preprocessor=preprocessor
    ).eval()
    with torch.no_grad():
        for branch in model.segmentor.decode_head.branches:
            branch.weight.normal_(std=1.0)  # for probabilities far from uniform
    return model


def upsampled(model, images, size):
    logits = model.segmentor.decode_head(model.segmentor.extract_feat(images))
    return F.interpolate(logits, size=size, mode='bilinear', align_corners=True)


@torch.no_grad()
def test_one_bilinear_step_to_either_size():
    model, batch = adaptor(), two_images()
    images = torch.stack([(image.float() - 120) / 60 for image in batch['inputs']])
    for at, size in (('image', ORIGINAL), ('input', INPUT)):
        maps = model.probabilities(copy.deepcopy(batch), at=at)
        assert [tuple(probs.shape) for probs in maps] == [(NUM_CLASSES, *size)] * 2
        expected = upsampled(model, images, size).softmax(dim=1)
        torch.testing.assert_close(torch.stack(maps), expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_probabilities_may_be_upsampled_instead_of_logits():
    model, batch = adaptor(), two_images()
    images = torch.stack([(image.float() - 120) / 60 for image in batch['inputs']])
    soft = model.segmentor.decode_head(model.segmentor.extract_feat(images)).softmax(dim=1)
    expected = F.interpolate(soft, size=INPUT, mode='bilinear', align_corners=True)
    maps = torch.stack(model.probabilities(copy.deepcopy(batch), at='input_soft'))
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-6)
    assert (maps - torch.stack(model.probabilities(copy.deepcopy(batch), at='input'))).abs().max() > 1e-3


def test_probabilities_of_windows_cannot_be_upsampled():
    model = adaptor(test_cfg=dict(mode='slide', crop_size=(40, 40), stride=(20, 20)))
    with pytest.raises(ValueError, match="at='input_soft' upsamples the probabilities of whole images"):
        model.probabilities(two_images(), at='input_soft')


@pytest.mark.parametrize('padding', [None, dict(size_divisor=32), dict(size=(64, 96))])
@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_consistent_with_the_prediction(padding, mode):
    cfg = dict(mode='whole') if mode == 'whole' else dict(mode='slide', crop_size=(40, 40), stride=(20, 20))
    model, batch = adaptor(padding, test_cfg=cfg), two_images()
    with torch.no_grad():
        predicted = model.test_step(copy.deepcopy(batch))
    for sample, probs in zip(predicted, model.probabilities(copy.deepcopy(batch)), strict=True):
        assert probs.dtype == torch.float32 and not probs.requires_grad
        assert torch.equal(probs.argmax(dim=0, keepdim=True), sample.pred_sem_seg.data)
        torch.testing.assert_close(probs, sample.seg_logits.data.softmax(dim=0))


@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_padding_is_cut_off_at_the_size_of_the_input(mode):
    """Padding is cut off. If the image has the size of the input, both resolutions give the same map."""
    cfg = dict(mode='whole') if mode == 'whole' else dict(mode='slide', crop_size=(40, 40), stride=(20, 20))
    model, batch = adaptor(dict(size_divisor=32), test_cfg=cfg), two_images(original=INPUT)
    at_image, at_input = (model.probabilities(copy.deepcopy(batch), at=at) for at in ('image', 'input'))
    torch.testing.assert_close(at_image, at_input, rtol=0, atol=1e-6)
    assert at_input[0].shape[1:] == INPUT
    if mode == 'whole':
        images = F.pad(torch.stack([(image.float() - 120) / 60 for image in batch['inputs']]), (0, 11, 0, 23))
        with torch.no_grad():
            expected = upsampled(model, images, (64, 64))[..., :41, :53].softmax(dim=1)
        torch.testing.assert_close(torch.stack(at_input), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('at', ['image', 'input'])
@pytest.mark.parametrize('direction, axis', [('horizontal', -1), ('vertical', -2)])
def test_maps_of_mirrored_images_are_mirrored_back(at, direction, axis):
    model = adaptor(dict(size_divisor=32))
    straight, mirrored = two_images(), two_images(flip=True, flip_direction=direction)
    (raw, *_), (turned, *_) = (model.probabilities(batch, at=at) for batch in (straight, mirrored))
    torch.testing.assert_close(turned, raw.flip(axis), rtol=0, atol=1e-5)


@pytest.mark.parametrize('size', ['image', 'input'])
def test_a_head_with_its_own_prediction_keeps_it(size):
    head = dict(type='FussyHead', in_channels=32, in_index=3, channels=4, num_classes=NUM_CLASSES, num_convs=1)
    model = MODELS.build(dict(tiny_segmentor(two_levels=False), decode_head=head)).eval()
    images, samples = torch.rand(1, 3, *INPUT), plain_batch(INPUT)['data_samples']
    with torch.no_grad():
        logits = model(images)
    expected = (3 * F.interpolate(logits, size=INPUT, mode='bilinear', align_corners=False)).softmax(dim=1)
    torch.testing.assert_close(model.probabilities(images, samples, size=size)[0], expected[0])
    assert 'seg_logits' not in samples[0], 'samples must not keep logits, which need much memory'


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(size='output'), "size='output', expected 'image'"),
        (dict(size='image', softmax_first=True), "at='input_soft' upsamples the probabilities of whole images to the"),
    ],
)
def test_what_cannot_be_had_is_an_error(options, message):
    model = MODELS.build(tiny_segmentor()).eval()
    with pytest.raises(ValueError, match=message):
        model.probabilities(torch.rand(1, 3, *INPUT), plain_batch(INPUT)['data_samples'], **options)


# Outputs.


@pytest.mark.parametrize('auxiliary, levels', [(0, ('main',)), (1, ('aux', 'main')), (2, ('aux_0', 'aux_1', 'main'))])
def test_outputs_have_the_logits_of_every_head(auxiliary, levels):
    cfg = tiny_segmentor()
    cfg.auxiliary_head = [None, cfg.auxiliary_head, [cfg.auxiliary_head, dict(cfg.auxiliary_head)]][auxiliary]
    net = MODELS.build(cfg)
    outputs = net(torch.rand(2, 3, 40, 56), mode='outputs')
    assert outputs.levels == tuple(net.heads()) == levels
    assert outputs.size == (40, 56) and outputs.align_corners and len(outputs.features) == 4
    for level, head in net.heads().items():
        assert torch.equal(outputs.logits[level], head(outputs.features))
    assert net.level_groups == {level: 'main' if level == 'main' else 'aux' for level in levels}


def test_features_alone_run_no_head():
    net = MODELS.build(tiny_segmentor())
    images = torch.rand(2, 3, 40, 56)
    ran = []
    for head in net.heads().values():
        head.register_forward_hook(lambda *_: ran.append(True))
    features = net(images, mode='features')
    assert not ran and not features.levels
    for one, other in zip(features.features, net(images, mode='outputs').features, strict=True):
        assert torch.equal(one, other)
    assert len(ran) == 2


class PairHead(FussyHead):
    """A head that returns two maps."""

    def forward(self, inputs):
        return (super().forward(inputs),) * 2


def test_a_head_with_several_outputs_is_an_error():
    net = MODELS.build(tiny_segmentor())
    net.decode_head = PairHead(in_channels=32, in_index=3, channels=4, num_classes=NUM_CLASSES, num_convs=1)
    with pytest.raises(TypeError, match='the main head, PairHead, returns a tuple: adaptation needs heads'):
        net(torch.rand(2, 3, 40, 56), mode='outputs')


# Predictions.


def test_prediction_is_upsampled_once():
    net = MODELS.build(tiny_segmentor()).eval()
    images = torch.rand(1, 3, 40, 56)
    sample = side(0, False, batch_size=1)['data_samples'][0]
    sample.set_metainfo(dict(ori_shape=(81, 113)))
    with torch.no_grad():
        (predicted,) = net.predict(images, [sample])
        low = net(images)
    wanted = F.interpolate(low, size=(81, 113), mode='bilinear', align_corners=True)[0]
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
