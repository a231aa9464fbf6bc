"""MiniCity in memory: images depend only on the arguments, and the two towns have a domain gap."""

import hashlib
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.minicity import render, renderer
from mmuda.minicity.classes import RAW_IDS, VOID_IDS
from mmuda.minicity.towns import TRADES, VERSIONS, get_town


@pytest.fixture(scope='module')
def frequencies():
    """Return the shares of pixels and of images with each class, for 60 images of each domain."""
    result = {}
    for domain, split in (('source', 'train'), ('target', 'val')):
        counts = np.stack(
            [np.bincount(render(domain, 0, split, index)[1].ravel(), minlength=256) for index in range(60)]
        )
        result[domain] = (counts.sum(0) / counts.sum(), (counts > 0).mean(0))
    return result


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('domain', ['source', 'target'])
def test_render_depends_on_its_arguments_only(domain, version):
    render_it = partial(render, size=(96, 64), version=version)
    image, ids = render_it(domain, 3, 'train', 5)
    assert image.shape == (64, 96, 3) and image.dtype == np.uint8
    assert ids.shape == (64, 96) and ids.dtype == np.uint8
    np.random.seed(7)
    render_it(domain, 3, 'train', 4)
    again = render_it(domain, 3, 'train', 5)
    np.testing.assert_array_equal(image, again[0])
    np.testing.assert_array_equal(ids, again[1])
    for other in ((domain, 4, 'train', 5), (domain, 3, 'val', 5), (domain, 3, 'train', 6)):
        assert (render_it(*other)[1] != ids).mean() > 0.02


def test_versions_have_the_same_streets():
    for domain in ('source', 'target'):
        image, ids = render(domain, 0, 'train', 0, version=1)
        other, same = render(domain, 0, 'train', 0, version=2)
        np.testing.assert_array_equal(ids, same)
        assert (image != other).mean() > 0.5


@pytest.mark.parametrize(
    'arguments, image, ids',
    [
        (
            ('source', 0, 'train', 0, (128, 64)),
            'd144a1b6c0200a5ff3c4ddc3a4b0a7c323f8c47a22d8f88de23d72f202f52c97',
            '77385d49a650cce7a5c85c09902c98d9a5caf378aa86a5361c5c33cc3505b4b2',
        ),
        (
            ('target', 0, 'train', 0, (128, 64)),
            '44c068bbc381041584f1300057ebd1ff413686217aa0ae818806617150c0a57f',
            '88b18253fd74072982a05942b1829ae71c5048179ca824bcbac1a984ea66272c',
        ),
        (
            ('target', 0, 'val', 0, (128, 64)),
            'a22f1a9f5a6f894cd030fdc801a2235c61a0c005d8f9779d04f40d7c2224907e',
            '3c01aff9cdf64059b867ba34eb8997309978ab95c35e8c47c370ce48999bdba3',
        ),
        (
            ('source', 3, 'train', 5, (96, 64)),
            '4dd2a637540c436eae91ead49e9f7a397d2dcf627417c6faa9f03e952501dd6f',
            'e5c5ad11f2ea8f16ec7d385993dde997ad23ae74748bfa2081185da8928d0797',
        ),
        (
            ('target', 3, 'train', 5, (96, 64)),
            'a5f0a925cb0bd080bdd7bc4b5edbfcbc83a4db4c32749fafe026113d94d43b4c',
            '6bf8e99a8f054c58b6a61f2dcc47482352be8933324eafb2e01560c3ebc5fa08',
        ),
        (
            ('target', 7, 'val', 2, (256, 128)),
            '1fa425ef9a0f47a0b3e65f3809a67dcdabf62c15821d1f7d628e9216f9276021',
            '5c3b3dcbbe946335da832937c4303167146c84e3cfb6da577136824dd8c4b44e',
        ),
        (
            ('source', 7, 'train', 2, (64, 32)),
            'f38feed19949740641fab58f5a8a0de806aa56086d5d4cf2440380b35e1bf387',
            '21dc96129db5bd063c4b1aafdc88b46b37cf9bb8306eec69d56b7eef2a0c0c3d',
        ),
    ],
)
def test_version_1_is_what_it_always_was(arguments, image, ids):
    """Images and labels of version 1 have the SHA-256 from the time when it was the only version."""
    rendered = render(*arguments, version=1)
    assert [hashlib.sha256(part.tobytes()).hexdigest() for part in rendered] == [image, ids]


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


LARGE = ('road', 'sidewalk', 'building', 'vegetation', 'terrain', 'sky', 'car')


def pixels(domain, version, count=30):
    """Return images (N, H, W, 3) float32 and their raw ids (N, H, W)."""
    rendered = [render(domain, 0, 'train', index, version=version) for index in range(count)]
    return np.stack([image for image, _ in rendered]).astype(np.float32), np.stack([ids for _, ids in rendered])


def class_means(images, ids):
    """Return the mean colours (classes, 3) of the large classes."""
    return np.stack([images[ids == RAW_IDS[name]].mean(0) for name in LARGE])


def steps(images):
    """Return the absolute differences of grey values between horizontal neighbours."""
    return np.abs(np.diff(images.mean(-1), axis=2))


def left_over(source, target):
    """Return the RMS distance that remains after the best affine map of each colour channel."""
    squares = [np.polyfit(source[:, channel], target[:, channel], 1, full=True)[1] for channel in range(3)]
    return float(np.sqrt(np.sum(squares) / source.size))


def test_gap_of_version_1_is_one_of_style_and_one_of_classes(monkeypatch):
    (source, source_ids), (target, target_ids) = (pixels(domain, 1) for domain in ('source', 'target'))

    def road_step(images, ids):
        road = (ids[:, :, 1:] == RAW_IDS['road']) & (ids[:, :, :-1] == RAW_IDS['road'])
        return np.median(steps(images)[road])

    assert road_step(target, target_ids) > road_step(source, source_ids) + 1
    source, target = class_means(source, source_ids), class_means(target, target_ids)
    assert np.abs(source.mean(0) - target.mean(0)).max() > 10
    assert target.std(0).max() < 0.8 * source.std(0).max()
    monkeypatch.setattr(renderer, 'get_town', lambda version, domain: replace(get_town(version, domain), shifts={}))
    style_only = class_means(*pixels('target', 1))
    assert left_over(source, target) > 1.4 * left_over(source, style_only)


def test_towns_of_version_2_agree_in_the_statistics_of_all_pixels():
    """The two towns of version 2 agree in mean and deviation of colours and in the contrast of neighbours."""
    (source, _), (target, _) = (pixels(domain, 2, 60) for domain in ('source', 'target'))
    axes = (0, 1, 2)
    assert np.abs(source.mean(axes) - target.mean(axes)).max() < 4
    np.testing.assert_allclose(target.std(axes), source.std(axes), rtol=0.1)
    np.testing.assert_allclose(steps(target).mean(), steps(source).mean(), rtol=0.2)


def test_classes_of_version_2_trade_looks():
    """Classes exchange colours: a target road looks like a source building, a target building like a source road."""
    source, target = (dict(zip(LARGE, class_means(*pixels(domain, 2)), strict=True)) for domain in ('source', 'target'))

    def nearest(name):
        return min(source, key=lambda other: np.linalg.norm(target[name] - source[other]))

    assert nearest('road') == 'building' and nearest('building') == nearest('sidewalk') == 'road'
    for name in TRADES:
        assert np.linalg.norm(target[name] - source[name]) > 30, name
    assert nearest('sky') == 'sky', 'the sky must keep its colour'
