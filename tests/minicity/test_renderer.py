"""MiniCity in memory: a pure function of its arguments, with a gap between the two towns."""

from dataclasses import replace

import numpy as np
import pytest

from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.minicity import render, renderer
from mmuda.minicity.classes import RAW_IDS, VOID_IDS
from mmuda.minicity.towns import get_town


@pytest.fixture(scope='module')
def frequencies():
    """Share of pixels and share of images by class, of 60 images per domain."""
    result = {}
    for domain, split in (('source', 'train'), ('target', 'val')):
        counts = np.stack(
            [np.bincount(render(domain, 0, split, index)[1].ravel(), minlength=256) for index in range(60)]
        )
        result[domain] = (counts.sum(0) / counts.sum(), (counts > 0).mean(0))
    return result


@pytest.mark.parametrize('domain', ['source', 'target'])
def test_render_depends_on_its_arguments_only(domain):
    image, ids = render(domain, 3, 'train', 5, (96, 64))
    assert image.shape == (64, 96, 3) and image.dtype == np.uint8
    assert ids.shape == (64, 96) and ids.dtype == np.uint8
    np.random.seed(7)
    render(domain, 3, 'train', 4, (96, 64))
    again = render(domain, 3, 'train', 5, (96, 64))
    np.testing.assert_array_equal(image, again[0])
    np.testing.assert_array_equal(ids, again[1])
    for other in ((domain, 4, 'train', 5), (domain, 3, 'val', 5), (domain, 3, 'train', 6)):
        assert (render(*other, (96, 64))[1] != ids).mean() > 0.02


def test_towns_share_no_street():
    assert (render('source', 0, 'train', 0)[1] != render('target', 0, 'train', 0)[1]).mean() > 0.02


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('sauce', 0, 'train', 0), "domain 'sauce'"),
        (('source', 0, 'test', 0), "split 'test'"),
        (('source', -1, 'train', 0), 'negative'),
        (('source', 0, 'train', -1), 'negative'),
        (('source', 0, 'train', 0, (16, 64)), 'at least 32'),
    ],
)
def test_render_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        render(*arguments)


def test_all_classes_occur_as_unequally_as_in_a_street(frequencies):
    for domain, (share, images) in frequencies.items():
        present = [name for name in CITYSCAPES_CLASSES if share[RAW_IDS[name]] > 5e-4]
        assert len(present) >= 14, (domain, present)
        assert set(np.flatnonzero(share)) <= set(RAW_IDS.values())
        largest = sum(share[RAW_IDS[name]] for name in ('road', 'building', 'sky', 'vegetation'))
        assert 0.6 < largest < 0.9
        for name in ('traffic light', 'traffic sign', 'rider', 'motorcycle', 'bicycle'):
            assert share[RAW_IDS[name]] < 0.02
        assert share[list(VOID_IDS.values())].min() > 0
        assert images[RAW_IDS['road']] == 1.0 and images[RAW_IDS['bus']] < 0.6


def class_means(domain, count=30):
    """Mean colour (classes, 3) of large classes, and the median step between road neighbours."""
    rendered = [render(domain, 0, 'train', index) for index in range(count)]
    images = np.stack([image for image, _ in rendered]).astype(np.float32)
    ids = np.stack([labels for _, labels in rendered])
    names = ('road', 'sidewalk', 'building', 'vegetation', 'terrain', 'sky', 'car')
    road = (ids[:, :, 1:] == RAW_IDS['road']) & (ids[:, :, :-1] == RAW_IDS['road'])
    step = np.median(np.abs(np.diff(images.mean(-1), axis=2))[road])
    return np.stack([images[ids == RAW_IDS[name]].mean(0) for name in names]), step


def left_over(source, target):
    """RMS distance that the best affine change of each colour channel leaves."""
    squares = [np.polyfit(source[:, channel], target[:, channel], 1, full=True)[1] for channel in range(3)]
    return float(np.sqrt(np.sum(squares) / source.size))


def test_gap_is_one_of_style_and_one_of_classes(monkeypatch):
    source, source_step = class_means('source')
    target, target_step = class_means('target')
    assert np.abs(source.mean(0) - target.mean(0)).max() > 10
    assert target.std(0).max() < 0.8 * source.std(0).max()
    assert target_step > source_step + 1
    monkeypatch.setattr(renderer, 'get_town', lambda version, domain: replace(get_town(version, domain), shifts={}))
    style_only = class_means('target')[0]
    assert left_over(source, target) > 1.4 * left_over(source, style_only)
