"""Resizing by Pillow: sizes, filters, and the keys it sets."""

import numpy as np
import pytest
from mmseg.registry import TRANSFORMS
from PIL import Image

LANCZOS, BICUBIC, BILINEAR = 'lanczos', 'bicubic', 'bilinear'


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    'shape, length, wanted',
    [
        ((1024, 2048), 1850, (925, 1850)),
        ((2048, 1024), 1850, (1850, 925)),
        ((30, 30), 7, (7, 7)),
        ((1, 4), 10, (2, 10)),
        ((3, 4), 10, (8, 10)),
        ((1, 300), 10, (1, 10)),
    ],
)
def test_the_other_side_follows_halves_to_even(shape, length, wanted):
    """The shorter edge is rounded half to even (2.5, 7.5) and is at least 1."""
    results = TRANSFORMS.build(dict(type='ResizeLongSide', length=length))(dict(img=image(*shape)))
    assert results['img'].shape == (*wanted, 3) and results['img_shape'] == wanted
    assert results['scale'] == wanted[::-1] and results['keep_ratio'] is True
    assert results['scale_factor'] == (wanted[1] / shape[1], wanted[0] / shape[0])


@pytest.mark.parametrize('length, filter', [(20, LANCZOS), (60, BICUBIC), (39, LANCZOS), (41, BILINEAR)])
def test_channels_go_through_the_filter_of_the_rule(length, filter):
    """Each size change selects its filter. In the last case one edge grows and the other stays at 3: bilinear."""
    before = image(3 if length == 41 else 30, 40)
    results = TRANSFORMS.build(dict(type='ResizeLongSide', length=length))(dict(img=before))
    wanted = np.array(
        Image.fromarray(before[..., ::-1].copy()).resize(results['scale'], Image.Resampling[filter.upper()])
    )[..., ::-1]
    np.testing.assert_array_equal(results['img'], wanted)


def test_an_image_of_that_length_and_all_labels_stay():
    before, label = image(12, 20), np.zeros((12, 20), np.uint8)
    results = dict(img=before, gt_seg_map=label, seg_fields=['gt_seg_map'])
    same = TRANSFORMS.build(dict(type='ResizeLongSide', length=20))(dict(results))
    assert same['img'] is before and same['scale_factor'] == (1, 1)
    smaller = TRANSFORMS.build(dict(type='ResizeLongSide', length=10))(dict(results))
    assert smaller['img'].shape == (6, 10, 3) and smaller['gt_seg_map'] is label
    assert smaller['img'].flags.writeable


@pytest.mark.parametrize(
    'array',
    [
        image(8, 8).astype(np.float32),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8), np.int64),
        np.zeros((8, 8, 1), np.uint8),
    ],
)
def test_what_pillow_would_get_wrong_is_refused(array):
    with pytest.raises(TypeError, match='must be .H, W, 3. uint8, but is .*three channels'):
        TRANSFORMS.build(dict(type='ResizeLongSide', length=4))(dict(img=array))


@pytest.mark.parametrize('length', [0, -3, 2.5, '1850'])
def test_length_is_a_positive_integer(length):
    with pytest.raises(ValueError, match='positive number of pixels'):
        TRANSFORMS.build(dict(type='ResizeLongSide', length=length))
