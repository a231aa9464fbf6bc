"""Inference of CBST: mirrored images, Pillow's filters, no clamping."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from toolbox import plain_batch, tiny_adaptor, tiny_segmentor
from torch import nn

from mmuda.models.segmentors import full_probabilities

CLASSES = 7  # more than one block of the upsampling


def adaptor(divisor=8, **segmentor):
    cfg = {**tiny_segmentor(two_levels=False, num_classes=CLASSES), 'type': 'BicubicEncoderDecoder', **segmentor}
    preprocessor = dict(
        type='DomainPairPreprocessor', mean=[120.0] * 3, std=[60.0] * 3, test_cfg=dict(size_divisor=divisor)
    )
    model = tiny_adaptor('SelfTraining', segmentor=cfg, data_preprocessor=preprocessor).eval()
    with torch.no_grad():
        for branch in model.segmentor.decode_head.branches:
            branch.weight.normal_(std=2.0)
    return model


def written_out(model, image, original, divisor: int, flip: bool) -> dict:
    """Return the probabilities of one image by the steps of the paper, with Pillow."""
    height, width = image.shape[-2:]
    padded = F.pad((image.float() - 120) / 60, (0, -width % divisor, 0, -height % divisor))[None]
    with torch.no_grad():
        probs = model(padded).softmax(dim=1)
        if flip:
            probs = 0.5 * (probs + model(padded.flip(-1)).softmax(dim=1).flip(-1))
    small = (height, width)
    shrinks, grows = (
        all(sign * new < sign * old for old, new in zip(small, original, strict=True)) for sign in (1, -1)
    )
    resample = Image.LANCZOS if shrinks else Image.BICUBIC if grows else Image.BILINEAR
    at_input, at_image = [], []
    for plane in probs[0].numpy():
        plane = Image.fromarray(plane).resize(padded.shape[:-3:-1], Image.BICUBIC).crop((0, 0, width, height))
        at_input.append(np.array(plane))
        at_image.append(np.array(plane.resize(original[::-1], resample)))
    return dict(input=np.stack(at_input), image=np.stack(at_image))


@pytest.mark.parametrize('flip', [True, False])
@pytest.mark.parametrize(
    'input_size, original, divisor',
    [
        ((41, 59), (57, 82), 8),  # larger
        ((48, 64), (48, 64), 8),  # same size
        ((61, 90), (44, 65), 8),  # smaller
        ((61, 90), (60, 91), 8),
        ((33, 49), (50, 60), 1),  # without padding, and no multiple of the stride
    ],
)
def test_the_steps_of_the_paper(input_size, original, divisor, flip):
    model = adaptor(divisor, flip=flip)
    batch = plain_batch(input_size, input_size, original=original)
    for at in ('image', 'input'):
        maps = model.probabilities(copy.deepcopy(batch), at=at)
        for image, probs in zip(batch['inputs'], maps, strict=True):
            expected = written_out(model, image, original, divisor, flip)[at]
            np.testing.assert_allclose(probs.numpy(), expected, rtol=0, atol=2e-6)
            np.testing.assert_allclose(probs.sum(dim=0).numpy(), 1, rtol=0, atol=1e-5)


def test_predictions_are_the_argmax_and_logits_are_logarithms():
    model, batch = adaptor(), plain_batch((41, 59), (41, 59), original=(57, 82))
    maps = model.probabilities(copy.deepcopy(batch))
    assert min(probs.min() for probs in maps) < 0, 'this case must have negative probabilities'
    for sample, probs in zip(model.test_step(copy.deepcopy(batch)), maps, strict=True):
        assert torch.equal(sample.pred_sem_seg.data, probs.argmax(dim=0, keepdim=True))
        torch.testing.assert_close(sample.seg_logits.data, probs.clamp(min=1e-30).log())
        clamped = probs.clamp(min=0)
        torch.testing.assert_close(sample.seg_logits.data.softmax(dim=0), clamped / clamped.sum(dim=0))


def test_the_first_class_wins_ties():
    model = adaptor()
    with torch.no_grad():
        for branch in model.segmentor.decode_head.branches:
            nn.init.zeros_(branch.weight)
            branch.bias.copy_(torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0]))
    (sample,) = model.test_step(plain_batch((16, 24)))
    assert sample.pred_sem_seg.data.unique().tolist() == [1]


@pytest.mark.parametrize('direction, axis', [('horizontal', -1), ('vertical', -2)])
def test_maps_of_mirrored_images_are_mirrored_back(direction, axis):
    model = adaptor()
    straight = model.probabilities(plain_batch((41, 59), (41, 59), original=(57, 82)))
    turned = model.probabilities(
        plain_batch((41, 59), (41, 59), original=(57, 82), flip=True, flip_direction=direction)
    )
    for plain, mirrored in zip(straight, turned, strict=True):
        assert torch.equal(mirrored, plain.flip(axis))


def test_without_data_samples_results_have_the_size_of_the_input():
    model = adaptor()
    (sample,) = model.segmentor.predict(torch.rand(1, 3, 40, 48))
    assert sample.pred_sem_seg.shape == (40, 48) and sample.seg_logits.data.shape == (CLASSES, 40, 48)


def test_training_is_that_of_any_segmentor():
    images = torch.rand(1, 3, 40, 48)
    outputs = adaptor().segmentor(images, mode='outputs')
    assert outputs.logits['main'].requires_grad and outputs.logits['main'].shape == (1, CLASSES, 6, 7)


def test_what_it_cannot_do_is_refused():
    slide = dict(mode='slide', crop_size=(32, 32), stride=(16, 16))
    with pytest.raises(ValueError, match="test_cfg is .*slide.*set test_cfg.mode='whole'"):
        adaptor(test_cfg=slide)
    head = dict(type='FussyHead', in_channels=32, in_index=3, channels=4, num_classes=CLASSES, num_convs=1)
    with pytest.raises(ValueError, match='the decode head is FussyHead'):
        adaptor(decode_head=head)
    with pytest.raises(ValueError, match="at='raw'"):
        adaptor().probabilities(plain_batch((16, 24)), at='raw')
    with pytest.raises(ValueError, match="at='input_soft': BicubicEncoderDecoder does not support it"):
        adaptor().probabilities(plain_batch((16, 24)), at='input_soft')


def test_the_result_does_not_depend_on_how_many_classes_are_enlarged_at_a_time():
    probs = torch.rand(CLASSES, 6, 9)
    whole = full_probabilities(probs, (48, 72), (0, 3, 0, 5), (50, 80))
    for index in range(CLASSES):
        one = full_probabilities(probs[index : index + 1], (48, 72), (0, 3, 0, 5), (50, 80))
        torch.testing.assert_close(one[0], whole[index], rtol=0, atol=1e-6)
