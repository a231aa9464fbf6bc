"""The interface of an adaptor for mmseg's test loop, inferencer and visualizers."""

import copy

import pytest
import torch
from toolbox import plain_batch, tiny_adaptor


@torch.no_grad()
def test_prediction_is_that_of_the_segmentor():
    adaptor = tiny_adaptor('ADVENT').eval()
    batch = plain_batch((40, 56), (40, 56))
    predicted = adaptor.test_step(copy.deepcopy(batch))
    images = torch.stack([image.float() for image in batch['inputs']])
    expected = adaptor.segmentor.predict(images, copy.deepcopy(batch['data_samples']))
    for sample, wanted in zip(predicted, expected, strict=True):
        assert sample.pred_sem_seg.data.shape == (1, 40, 56) and sample.seg_logits.data.shape == (4, 40, 56)
        torch.testing.assert_close(sample.seg_logits.data, wanted.seg_logits.data)
    assert torch.equal(adaptor.val_step(copy.deepcopy(batch))[1].pred_sem_seg.data, predicted[1].pred_sem_seg.data)


@torch.no_grad()
def test_it_looks_like_a_segmentor():
    adaptor = tiny_adaptor('ADVENT').eval()
    assert adaptor(torch.zeros(1, 3, 40, 56)).shape == (1, 4, 6, 8)  # the pooling of the stem rounds up
    assert adaptor.num_classes == adaptor.out_channels == 4 and adaptor.align_corners
    assert adaptor.decode_head is adaptor.segmentor.decode_head


def test_joint_loss_is_refused():
    with pytest.raises(RuntimeError, match="has no mode='loss'"):
        tiny_adaptor('SourceOnly')(torch.zeros(1, 3, 32, 32), mode='loss')


def test_an_unknown_resolution_is_an_error():
    with pytest.raises(ValueError, match=r"at='output', expected one of \['image', 'input', 'input_soft'\]"):
        tiny_adaptor('SourceOnly').probabilities(plain_batch((40, 56)), at='output')
