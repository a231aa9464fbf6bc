"""Test-time augmentation: the mean of probabilities, and logits that agree with it."""

import copy

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from toolbox import tiny_adaptor

from mmuda.models import MeanProbabilityTTA


def sample(logits: torch.Tensor) -> SegDataSample:
    return SegDataSample(
        seg_logits=PixelData(data=logits), pred_sem_seg=PixelData(data=logits.argmax(dim=0, keepdim=True))
    )


def test_logits_and_labels_are_those_of_the_mean():
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(3, 2, 4, 6, 5, generator=generator)  # (images, augmentations, C, H, W)
    tta = MeanProbabilityTTA(module=tiny_adaptor('SourceOnly'))
    merged = tta.merge_preds([[sample(copy.deepcopy(one)) for one in image] for image in logits])
    assert len(merged) == 3
    for found, image in zip(merged, logits, strict=True):
        mean = image.softmax(dim=1).mean(dim=0)
        torch.testing.assert_close(found.seg_logits.data.softmax(dim=0), mean)
        assert torch.equal(found.pred_sem_seg.data, mean.argmax(dim=0, keepdim=True))
        assert found.seg_logits.data.isfinite().all()


def test_impossible_classes_have_finite_logits():
    impossible = torch.tensor([0.0, -1000.0])[:, None, None].expand(2, 3, 3)
    (found,) = MeanProbabilityTTA(module=tiny_adaptor('SourceOnly')).merge_preds([[sample(impossible)] * 2])
    assert found.seg_logits.data.isfinite().all() and not found.pred_sem_seg.data.any()
