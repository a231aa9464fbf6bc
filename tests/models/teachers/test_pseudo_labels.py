"""Pseudo labels of a batch, and the pixels where they are trusted."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmuda.models.teachers import pseudo_labels, trust


@pytest.fixture
def logits() -> torch.Tensor:
    return 6 * torch.randn(2, 5, 8, 9, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('weight', ['share', 'pixel', 'one'])
def test_weights(logits, weight):
    confidence, labels = logits.softmax(dim=1).max(dim=1)
    confident = confidence >= 0.9
    found = pseudo_labels(logits, 0.9, weight)
    assert torch.equal(found.labels, labels) and found.share == confident.float().mean()
    wanted = dict(share=confident.float().mean().expand(2, 8, 9), pixel=confident.float(), one=torch.ones(2, 8, 9))
    assert torch.equal(found.weight, wanted[weight]) and 0 < found.share < 1


def test_half_precision_is_widened(logits):
    found = pseudo_labels(logits.half(), 0.9)
    assert found.weight.dtype == torch.float32
    assert torch.equal(found.labels, pseudo_labels(logits.half().float(), 0.9).labels)


def test_an_unknown_weight_is_an_error(logits):
    with pytest.raises(ValueError, match="pseudo label weight 'entropy', expected one of"):
        pseudo_labels(logits, weight='entropy')


def sample(trusted: torch.Tensor | None = None, **meta) -> SegDataSample:
    made = SegDataSample(metainfo=dict(img_path='a.png', **meta))
    if trusted is not None:
        made.trusted = PixelData(data=trusted[None])
    return made


CPU = torch.device('cpu')


def test_without_borders_and_padding_everything_is_trusted():
    assert trust([sample(), sample(img_shape=(4, 6))], (4, 6), CPU) is None


def test_maps_and_padding():
    border = torch.ones(3, 5, dtype=torch.uint8)
    border[0] = 0
    found = trust([sample(border, img_shape=(3, 5)), sample(img_shape=(4, 6)), sample(img_shape=(2, 6))], (4, 6), CPU)
    wanted = torch.zeros(3, 4, 6)
    wanted[0, 1:3, :5] = wanted[1] = wanted[2, :2] = 1
    assert torch.equal(found, wanted)


def test_a_map_of_another_size_than_its_image_is_an_error():
    with pytest.raises(ValueError, match=r'a.png: the map of trusted pixels is \(3, 5\), but the image \(4, 6\)'):
        trust([sample(torch.ones(3, 5), img_shape=(4, 6))], (4, 6), CPU)
