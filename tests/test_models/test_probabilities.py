"""Class probabilities of a segmentor and of an adaptor: what pseudo labels are made of."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.decode_heads import FCNHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from toolbox import NUM_CLASSES, tiny_adaptor, tiny_segmentor

ORIGINAL, INPUT = (60, 84), (41, 53)


def plain_batch(number: int = 2, input_size=INPUT, original=ORIGINAL, **meta) -> dict:
    """A collated test batch."""
    torch.manual_seed(1)
    return dict(
        inputs=[torch.randint(0, 256, (3, *input_size), dtype=torch.uint8) for _ in range(number)],
        data_samples=[
            SegDataSample(metainfo=dict(ori_shape=original, img_shape=input_size, **meta)) for _ in range(number)
        ],
    )


def adaptor(padding=None, **segmentor):
    preprocessor = dict(type='DomainPairPreprocessor', mean=[120.0] * 3, std=[60.0] * 3, test_cfg=padding)
    model = tiny_adaptor(
        'SelfTraining', segmentor={**tiny_segmentor(), **segmentor}, data_preprocessor=preprocessor
    ).eval()
    with torch.no_grad():
        for branch in model.segmentor.decode_head.branches:
            branch.weight.normal_(std=1.0)  # probabilities far from uniform
    return model


def upsampled(model, images, size):
    logits = model.segmentor.decode_head(model.segmentor.extract_feat(images))
    return F.interpolate(logits, size=size, mode='bilinear', align_corners=True)


@torch.no_grad()
def test_one_bilinear_step_to_either_size():
    model, batch = adaptor(), plain_batch()
    images = torch.stack([(image.float() - 120) / 60 for image in batch['inputs']])
    for at, size in (('image', ORIGINAL), ('input', INPUT)):
        maps = model.probabilities(copy.deepcopy(batch), at=at)
        assert [tuple(probs.shape) for probs in maps] == [(NUM_CLASSES, *size)] * 2
        expected = upsampled(model, images, size).softmax(dim=1)
        torch.testing.assert_close(torch.stack(maps), expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_probabilities_may_be_upsampled_instead_of_logits():
    model, batch = adaptor(), plain_batch()
    images = torch.stack([(image.float() - 120) / 60 for image in batch['inputs']])
    soft = model.segmentor.decode_head(model.segmentor.extract_feat(images)).softmax(dim=1)
    expected = F.interpolate(soft, size=INPUT, mode='bilinear', align_corners=True)
    maps = torch.stack(model.probabilities(copy.deepcopy(batch), at='input_soft'))
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-6)
    assert (maps - torch.stack(model.probabilities(copy.deepcopy(batch), at='input'))).abs().max() > 1e-3


def test_probabilities_of_windows_cannot_be_upsampled():
    model = adaptor(test_cfg=dict(mode='slide', crop_size=(40, 40), stride=(20, 20)))
    with pytest.raises(ValueError, match="at='input_soft' upsamples the probabilities of whole images"):
        model.probabilities(plain_batch(), at='input_soft')


@pytest.mark.parametrize('padding', [None, dict(size_divisor=32), dict(size=(64, 96))])
@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_consistent_with_the_prediction(padding, mode):
    cfg = dict(mode='whole') if mode == 'whole' else dict(mode='slide', crop_size=(40, 40), stride=(20, 20))
    model, batch = adaptor(padding, test_cfg=cfg), plain_batch()
    with torch.no_grad():
        predicted = model.test_step(copy.deepcopy(batch))
    for sample, probs in zip(predicted, model.probabilities(copy.deepcopy(batch)), strict=True):
        assert probs.dtype == torch.float32 and not probs.requires_grad
        assert torch.equal(probs.argmax(dim=0, keepdim=True), sample.pred_sem_seg.data)
        torch.testing.assert_close(probs, sample.seg_logits.data.softmax(dim=0))


@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_padding_is_cut_off_at_the_size_of_the_input(mode):
    """At the size of the input both resolutions are the same map, if the image has that size."""
    cfg = dict(mode='whole') if mode == 'whole' else dict(mode='slide', crop_size=(40, 40), stride=(20, 20))
    model, batch = adaptor(dict(size_divisor=32), test_cfg=cfg), plain_batch(original=INPUT)
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
def test_mirrored_images_are_turned_back(at, direction, axis):
    model = adaptor(dict(size_divisor=32))
    straight, mirrored = plain_batch(), plain_batch(flip=True, flip_direction=direction)
    (raw, *_), (turned, *_) = (model.probabilities(batch, at=at) for batch in (straight, mirrored))
    torch.testing.assert_close(turned, raw.flip(axis), rtol=0, atol=1e-5)


class FussyHead(FCNHead):
    """A head that predicts in its own way."""

    def predict(self, inputs, batch_img_metas, test_cfg):
        return 3 * super().predict(inputs, batch_img_metas, test_cfg)


@pytest.mark.parametrize('at', ['image', 'input'])
def test_a_head_with_its_own_prediction_keeps_it(at):
    MODELS.register_module(module=FussyHead, force=True)
    head = dict(type='FussyHead', in_channels=32, in_index=3, channels=4, num_classes=NUM_CLASSES, num_convs=1)
    model = MODELS.build(dict(tiny_segmentor(two_levels=False), decode_head=head)).eval()
    images, samples = torch.rand(1, 3, *INPUT), plain_batch(1, original=INPUT)['data_samples']
    with torch.no_grad():
        logits = model(images)
    expected = (3 * F.interpolate(logits, size=INPUT, mode='bilinear', align_corners=False)).softmax(dim=1)
    torch.testing.assert_close(model.probabilities(images, samples, at=at)[0], expected[0])
    assert 'seg_logits' not in samples[0], 'logits of all images at once are large'


def test_an_unknown_resolution_is_an_error():
    with pytest.raises(ValueError, match="at='output', expected 'image'"):
        adaptor().probabilities(plain_batch(), at='output')
