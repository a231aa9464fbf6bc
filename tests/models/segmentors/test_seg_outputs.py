"""Outputs of a forward pass: levels, sizes, detaching."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from toolbox import tiny_segmentor

from mmuda.models.segmentors import SegOutputs


def outputs(dtype: torch.dtype = torch.float32) -> SegOutputs:
    torch.manual_seed(0)
    aux, main, features = (torch.randn(2, channels, 5, 7, dtype=dtype, requires_grad=True) for channels in (4, 4, 8))
    return SegOutputs(dict(aux=aux, main=main), (features,), (33, 49), align_corners=True)


def test_a_network_names_its_levels_and_gives_features_and_size():
    net = MODELS.build(tiny_segmentor())
    found = net(torch.rand(2, 3, 40, 56), mode='outputs')
    assert found.levels == ('aux', 'main') and found.size == (40, 56) and found.align_corners
    assert [tuple(feature.shape[:2]) for feature in found.features] == [(2, 4), (2, 8), (2, 16), (2, 32)]
    assert all(found.logits[level].shape == (2, 4, *found.features[-1].shape[2:]) for level in found.levels)
    assert found.upsample('main').shape == (2, 4, 40, 56)
    bare = found.detach(features=False)
    assert not bare.features and not bare.logits['main'].requires_grad
    assert torch.equal(bare.upsample('aux'), found.upsample('aux'))


def test_levels_are_upsampled_to_the_size_of_the_images():
    found = outputs()
    assert found.levels == ('aux', 'main')
    for level in found.levels:
        wanted = F.interpolate(found.logits[level], size=(33, 49), mode='bilinear', align_corners=True)
        assert torch.equal(found.upsample(level), wanted)
    assert outputs(torch.bfloat16).upsample('main').dtype == torch.float32


def test_detached_outputs_have_the_same_values():
    found = outputs()
    whole, bare = found.detach(), found.detach(features=False)
    assert not bare.features and torch.equal(whole.features[0], found.features[0])
    for one in (whole, bare):
        assert not any(value.requires_grad for value in (*one.logits.values(), *one.features))
        assert torch.equal(one.upsample('aux'), found.upsample('aux'))
    assert found.logits['main'].requires_grad and found.features[0].requires_grad


def test_logits_at_the_size_of_labels():
    found = outputs()
    assert torch.equal(found.logits_at('main', torch.Size((5, 7))), found.logits['main'])
    assert torch.equal(found.logits_at('aux', (33, 49)), found.upsample('aux'))
    assert outputs(torch.bfloat16).logits_at('main', (5, 7)).dtype == torch.float32
    message = r'label maps are \(5, 8\), but the aux logits are \(5, 7\) and the images \(33, 49\) \(H, W\): label maps'
    with pytest.raises(ValueError, match=message):
        found.logits_at('aux', (5, 8))


def test_a_level_may_see_a_part_of_the_images():
    class OfCrop(SegOutputs):
        def size_of(self, level):
            return (4, 6) if level == 'crop' else super().size_of(level)

    outputs = OfCrop(dict(crop=torch.rand(1, 2, 2, 3), main=torch.rand(1, 2, 4, 4)), (), (8, 8), False)
    assert outputs.upsample('crop').shape[-2:] == (4, 6) and outputs.upsample('main').shape[-2:] == (8, 8)
    assert outputs.logits_at('crop', (4, 6)).shape[-2:] == (4, 6)
    with pytest.raises(ValueError, match=r'the crop logits are \(2, 3\) and the images \(4, 6\)'):
        outputs.logits_at('crop', (8, 8))
