"""Inference of FADA: several input sizes, mirrored images, and the mean of their probabilities."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toolbox import NUM_CLASSES, plain_batch, tiny_adaptor, tiny_segmentor
from torch import nn

THREE = (0.7, 1.0, 1.3)


def adaptor(**segmentor):
    cfg = {**tiny_segmentor(two_levels=False), 'type': 'MultiScaleEncoderDecoder', **segmentor}
    preprocessor = dict(type='DomainPairPreprocessor', mean=[120.0] * 3, std=[60.0] * 3)
    model = tiny_adaptor('SelfTraining', segmentor=cfg, data_preprocessor=preprocessor).eval()
    with torch.no_grad():
        for branch in model.segmentor.decode_head.branches:
            branch.weight.normal_(std=2.0)
    return model


def written_out(model, image, size, scales, flip: bool) -> np.ndarray:
    """Return the mean over all views of one image (3, H, W) in a plain loop."""
    image = ((image.float() - 120) / 60)[None]
    views = []
    with torch.no_grad():
        for scale in scales:
            height, width = (int(length * scale) for length in image.shape[-2:])
            view = F.interpolate(image, (height, width), mode='bilinear', align_corners=True)
            views.append(F.interpolate(model(view), size, mode='bilinear', align_corners=True).softmax(dim=1))
            if flip:
                logits = F.interpolate(model(view.flip(-1)), size, mode='bilinear', align_corners=True)
                views.append(logits.softmax(dim=1).flip(-1))
    return torch.stack(views).mean(dim=0)[0].numpy()


@pytest.mark.parametrize('flip', [True, False])
@pytest.mark.parametrize('scales', [(1.0,), THREE, (0.5, 0.5, 2)])
@pytest.mark.parametrize('input_size, original', [((41, 59), (57, 82)), ((48, 64), (48, 64)), ((61, 90), (44, 65))])
def test_the_mean_of_all_views(input_size, original, scales, flip):
    model = adaptor(scales=scales, flip=flip)
    batch = plain_batch(input_size, input_size, original=original)
    for at, size in (('image', original), ('input', input_size)):
        maps = model.probabilities(copy.deepcopy(batch), at=at)
        assert len(maps) == 2
        for image, probs in zip(batch['inputs'], maps, strict=True):
            assert probs.dtype == torch.float32
            np.testing.assert_allclose(probs.numpy(), written_out(model, image, size, scales, flip), rtol=0, atol=2e-6)


def test_the_defaults_are_the_prediction_of_the_usual_segmentor():
    usual, ours = adaptor(type='AdaptiveEncoderDecoder'), adaptor()
    ours.load_state_dict(usual.state_dict())
    batch = plain_batch((41, 59), original=(57, 82))
    (expected,), (found,) = (model.test_step(copy.deepcopy(batch)) for model in (usual, ours))
    assert torch.equal(found.pred_sem_seg.data, expected.pred_sem_seg.data)
    torch.testing.assert_close(found.seg_logits.data, expected.seg_logits.data.log_softmax(dim=0), rtol=1e-5, atol=1e-5)


def test_predictions_are_the_argmax_and_logits_are_logarithms():
    model, batch = adaptor(scales=THREE, flip=True), plain_batch((41, 59), original=(57, 82))
    maps = model.probabilities(copy.deepcopy(batch))
    for sample, probs in zip(model.test_step(copy.deepcopy(batch)), maps, strict=True):
        assert sample.pred_sem_seg.data.unique().numel() > 1, 'this case must predict several classes'
        assert torch.equal(sample.pred_sem_seg.data, probs.argmax(dim=0, keepdim=True))
        torch.testing.assert_close(sample.seg_logits.data, probs.log())


def test_impossible_classes_have_finite_logits_and_the_first_class_wins_ties():
    model = adaptor(scales=THREE)
    with torch.no_grad():
        for branch in model.segmentor.decode_head.branches:
            nn.init.zeros_(branch.weight)
            branch.bias.copy_(torch.tensor([-500.0, 1.0, 1.0, 0.0]))
    (sample,) = model.test_step(plain_batch((16, 24)))
    assert sample.pred_sem_seg.data.unique().tolist() == [1]
    assert sample.seg_logits.data.isfinite().all()


@pytest.mark.parametrize('at', ['image', 'input'])
@pytest.mark.parametrize('test_cfg, padded', [(dict(size_divisor=32), (64, 64)), (dict(size=(50, 70)), (50, 70))])
def test_padding_does_not_matter(test_cfg, padded, at):
    model, batch = adaptor(scales=THREE, flip=True), plain_batch((41, 59), (41, 59), original=(57, 82))
    expected = model.probabilities(copy.deepcopy(batch), at=at)
    model.data_preprocessor.test_cfg = test_cfg
    assert model.data_preprocessor(copy.deepcopy(batch))['inputs'].shape[-2:] == padded
    for found, unpadded in zip(model.probabilities(copy.deepcopy(batch), at=at), expected, strict=True):
        assert torch.equal(found, unpadded)


@pytest.mark.parametrize('direction, axis', [('horizontal', -1), ('vertical', -2)])
def test_maps_of_mirrored_images_are_mirrored_back(direction, axis):
    model = adaptor(scales=THREE)
    (straight,) = model.probabilities(plain_batch((41, 59), original=(57, 82)))
    (turned,) = model.probabilities(plain_batch((41, 59), original=(57, 82), flip=True, flip_direction=direction))
    assert torch.equal(turned, straight.flip(axis))


def test_a_mirrored_input_gives_the_mirrored_prediction():
    batch = plain_batch((41, 59), original=(57, 82))
    mirrored = {**batch, 'inputs': [image.flip(-1) for image in batch['inputs']]}
    model = adaptor(scales=THREE, flip=True)
    (straight,), (turned,) = (model.probabilities(copy.deepcopy(data)) for data in (batch, mirrored))
    torch.testing.assert_close(turned, straight.flip(-1), rtol=0, atol=2e-6)


def test_sizes_are_truncated_in_floating_point(monkeypatch):
    """Sizes are truncated after a multiplication in floating point: int(100 * 0.29) is 28."""
    model, seen = adaptor(scales=(0.29, 1.15)), []
    extract = model.segmentor.extract_feat
    monkeypatch.setattr(
        model.segmentor, 'extract_feat', lambda inputs: (seen.append(tuple(inputs.shape)), extract(inputs))[1]
    )
    model.test_step(plain_batch((100, 139)))
    assert seen == [(1, 3, 28, 40), (1, 3, 114, 159)]


def test_without_data_samples_results_have_the_size_of_the_input():
    (sample,) = adaptor(scales=THREE).segmentor.predict(torch.rand(1, 3, 40, 48))
    assert sample.pred_sem_seg.shape == (40, 48) and sample.seg_logits.data.shape == (NUM_CLASSES, 40, 48)
    assert not sample.seg_logits.data.requires_grad


def test_training_is_that_of_any_segmentor():
    outputs = adaptor(scales=THREE).segmentor(torch.rand(1, 3, 40, 48), mode='outputs')
    assert outputs.logits['main'].requires_grad and outputs.logits['main'].shape == (1, NUM_CLASSES, 6, 7)


def test_what_it_cannot_do_is_refused():
    slide = dict(mode='slide', crop_size=(32, 32), stride=(16, 16))
    with pytest.raises(ValueError, match="test_cfg is .*slide.*set test_cfg.mode='whole'"):
        adaptor(test_cfg=slide)
    head = dict(type='FussyHead', in_channels=32, in_index=3, channels=4, num_classes=NUM_CLASSES, num_convs=1)
    with pytest.raises(ValueError, match='the decode head is FussyHead'):
        adaptor(decode_head=head)
    with pytest.raises(ValueError, match="at='raw'"):
        adaptor().probabilities(plain_batch((16, 24)), at='raw')
    with pytest.raises(ValueError, match=r'scale 0.05 leaves \(0, 1\) pixels of an input of \(16, 24\)'):
        adaptor(scales=(0.05,)).test_step(plain_batch((16, 24)))


@pytest.mark.parametrize('scales', [(), (0,), (1, -0.5), (float('nan'),), (float('inf'),), 0.7, None, ('big',)])
def test_scales_must_be_positive_numbers(scales):
    with pytest.raises(ValueError, match='expected one or several positive numbers'):
        adaptor(scales=scales)
