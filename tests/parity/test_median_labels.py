"""Pseudo labels by the capped median of each class, written by the programs of SIM and SDCA."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import golden_files, load, section
from mmseg.registry import MODELS
from standins_contrast import load_original, segmentor
from torch import Tensor

from mmuda.labeling import Confidences, MedianCap, most_likely


def upsample(maps: Tensor, size) -> Tensor:
    """Upsample maps (N, C, h, w) to (N, C, H, W)."""
    return F.interpolate(maps, tuple(size), mode='bilinear', align_corners=True)


def collect(strategy: MedianCap, num_classes: int, images) -> Confidences:
    statistics = strategy.new_statistics(num_classes)
    for confidence, labels in images:
        statistics.add(confidence, labels)
    return statistics


@pytest.mark.parametrize('path', golden_files('sim', 'ssl_pseudo_labels'))
def test_sim(path):
    data = load(path)
    logits = torch.from_numpy(data['logits'])
    num_classes = logits.shape[1]
    stored = [
        (torch.from_numpy(prob), torch.from_numpy(labels))
        for prob, labels in zip(data['pred_prob'], data['pred_label'], strict=True)
    ]
    strategy = MedianCap(exact=True)
    statistics = collect(strategy, num_classes, stored)
    np.testing.assert_array_equal(statistics.counts, data['class_pixels'])
    raw = MedianCap(cap=1, exact=True).thresholds(statistics)
    np.testing.assert_array_equal(raw.astype(np.float32), data['thres_raw'])
    thresholds = strategy.thresholds(statistics)
    np.testing.assert_array_equal(thresholds.astype(np.float32), data['thres'])

    for (confidence, labels), expected in zip(stored, data['pseudo'], strict=True):
        # A map with the stored confidence at the stored class and zero elsewhere.
        prob = torch.zeros(num_classes, *labels.shape).scatter_(0, labels.long()[None], confidence[None])
        np.testing.assert_array_equal(strategy.label(prob, torch.from_numpy(thresholds)), expected)

    # The last bits of the upsampling of logits depend on the version of PyTorch.
    for prob, (confidence, labels) in zip(
        upsample(logits.softmax(dim=1), data['pseudo'].shape[1:]), stored, strict=True
    ):
        found = most_likely(prob)
        torch.testing.assert_close(found[0], confidence, rtol=1e-6, atol=1e-7)
        assert (found[1] == labels).float().mean() >= 0.999


def low_logits(data: dict, images: list[Tensor]) -> list[Tensor]:
    """Return the logits (1, C, h, w) of the stored stand-in network for images (1, 3, H, W)."""
    model = MODELS.build(segmentor(data)).eval()
    load_original(model, data)
    with torch.no_grad():
        return [model(image, mode='outputs').logits['main'] for image in images]


@pytest.mark.parametrize('path', golden_files('sdca', 'pseudo_label'))
def test_sdca(path):
    data = load(path)
    strategy = MedianCap(exact=True)
    raw = section(data, 'raw')
    prob = torch.from_numpy(raw['logits']).softmax(dim=1)
    statistics = collect(strategy, len(raw['thresholds']), map(most_likely, prob))
    np.testing.assert_array_equal(statistics.counts, raw['class_counts'])
    np.testing.assert_allclose(strategy.thresholds(statistics), raw['thresholds'], rtol=1e-6, atol=0)

    numbers = range(sum(key.startswith('image') for key in data))
    assert numbers
    images = [torch.from_numpy(data[f'image{i}']) for i in numbers]
    logits = low_logits(data, images)
    seen = [
        most_likely(upsample(maps, image.shape[2:]).softmax(dim=1)[0])
        for maps, image in zip(logits, images, strict=True)
    ]
    thresholds = strategy.thresholds(collect(strategy, len(data['thresholds']), seen))
    np.testing.assert_allclose(thresholds, data['thresholds'], rtol=1e-5, atol=0)
    for i, maps in zip(numbers, logits, strict=True):
        expected = data[f'pseudo{i}']
        labels = strategy.label(upsample(maps, expected.shape).softmax(dim=1)[0], torch.from_numpy(thresholds))
        assert np.sum(labels.numpy() != expected) <= 3, 'only few pixels can tie with a threshold'
