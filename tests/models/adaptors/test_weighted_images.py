"""Losses of images with pixel weights."""

import pytest
import torch
from toolbox import NUM_CLASSES, tiny_adaptor
from torch.nn.functional import cross_entropy

from mmuda.models.adaptors import WeightedImages, pixel_losses

SIZE = (40, 56)


def images() -> WeightedImages:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(NUM_CLASSES, (2, *SIZE), generator=generator)
    labels[:, :5] = 255
    return WeightedImages(
        torch.rand(2, 3, *SIZE, generator=generator), labels, torch.rand(2, *SIZE, generator=generator)
    )


def test_every_level_is_a_weighted_mean():
    adaptor = tiny_adaptor('DACS', loss_weights=dict(mix_main=2.0, mix_aux=0.5)).eval()
    given = images()
    with torch.no_grad():
        outputs = adaptor.segment(dict(inputs=given.inputs))
        found = pixel_losses(adaptor, 'mix', given)
        labelled = pixel_losses(adaptor, 'mix', given, mean_over='labelled')
    assert set(found) == {'loss_mix_main', 'loss_mix_aux'}
    for level, weight in dict(main=2.0, aux=0.5).items():
        losses = cross_entropy(outputs.upsample(level), given.labels, ignore_index=255, reduction='none')
        total = weight * (losses * given.weight).sum().item()
        assert found[f'loss_mix_{level}'].item() == pytest.approx(total / given.labels.numel(), rel=1e-5)
        share = (given.labels != 255).sum().item()
        assert labelled[f'loss_mix_{level}'].item() == pytest.approx(total / share, rel=1e-5)


def test_a_term_without_a_weight_is_an_error():
    with pytest.raises(KeyError, match="SourceOnly has no loss weight 'mix_aux'"):
        pixel_losses(tiny_adaptor('SourceOnly'), 'mix', images())
