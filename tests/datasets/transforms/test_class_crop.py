"""Crops that no single class fills and that show a wanted class (stored windows: parity/test_daformer_data.py)."""

import numpy as np
import pytest
from mmseg.datasets.transforms import RandomCrop

from mmuda.datasets import RandomClassCrop
from mmuda.datasets.transforms.class_crop import WANTED_CLASS, WANTED_PIXELS, is_mixed


def sample(label: np.ndarray | None, shape=(40, 60), **keys) -> dict:
    found = dict(img=np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8), img_path='a.png', **keys)
    return found if label is None else dict(found, gt_seg_map=label, seg_fields=['gt_seg_map'])


def blocks(seed: int) -> np.ndarray:
    """Return a label map (40, 60) with blocks (4, 6) of four classes and ignored pixels."""
    small = np.random.default_rng(seed).choice([0, 0, 0, 1, 2, 3, 255], (10, 10)).astype(np.uint8)
    return small.repeat(4, axis=0).repeat(6, axis=1)


@pytest.mark.parametrize('seed', range(20))
@pytest.mark.parametrize('ratio', [1.0, 0.75, 0.4])
@pytest.mark.parametrize('size', [(16, 16), (8, 24), (64, 30)])
def test_without_a_wanted_class_it_is_mmsegs(seed, ratio, size):
    """Without a wanted class, the crop equals mmseg's bit by bit, with the same random numbers."""
    crops = []
    for crop in (RandomClassCrop(size, ratio), RandomCrop(size, ratio)):
        np.random.seed(seed)
        crops.append(crop(sample(blocks(seed))))
    ours, theirs = crops
    assert np.array_equal(ours['img'], theirs['img']) and np.array_equal(ours['gt_seg_map'], theirs['gt_seg_map'])
    assert ours['img_shape'] == theirs['img_shape']


def test_a_share_at_the_limit_is_refused():
    counts = np.zeros(256)
    counts[:2] = 75, 25
    assert not is_mixed(counts, 0.75) and is_mixed(counts, 0.7501)
    counts[1] = 0
    assert not is_mixed(counts, 0.999), 'a single class must be refused'
    assert not is_mixed(np.zeros(256), 0.999), 'a crop without labels must be refused'


def test_a_wanted_class_is_looked_for():
    label = np.zeros((40, 60), np.uint8)
    label[24:32, 36:46] = 7  # 80 pixels; one window in five shows more than 20 of them
    plain, wanted = [], []
    for seed in range(100):
        for found, keys in ((plain, {}), (wanted, {WANTED_CLASS: 7, WANTED_PIXELS: 20})):
            np.random.seed(seed)
            found.append((RandomClassCrop((16, 16))(sample(label, **keys))['gt_seg_map'] == 7).sum())
    enough = np.array(plain) > 20
    assert enough.mean() < 0.4 < 0.9 < (np.array(wanted) > 20).mean()
    assert (np.array(wanted)[enough] == np.array(plain)[enough]).all(), 'the first good window must be taken'


def test_image_and_labels_are_cut_alike():
    label = blocks(1)
    image = np.dstack([label] * 3)
    found = RandomClassCrop((16, 20), 0.75)(dict(img=image, gt_seg_map=label, seg_fields=['gt_seg_map']))
    assert np.array_equal(found['img'][:, :, 0], found['gt_seg_map']) and found['img'].flags.c_contiguous
    assert found['img_shape'] == (16, 20) == found['img'].shape[:2]


def test_unlabelled_images_are_cut_anywhere():
    assert RandomClassCrop((16, 20))(sample(None))['img'].shape == (16, 20, 3)


@pytest.mark.parametrize(
    'crop, keys', [(RandomClassCrop((4, 4), 0.75), {}), (RandomClassCrop((4, 4)), {WANTED_CLASS: 1})]
)
def test_a_missing_label_is_an_error(crop, keys):
    with pytest.raises(ValueError, match='RandomClassCrop looks for classes in the label of a.png, which has none'):
        crop(sample(None, **keys))


@pytest.mark.parametrize('size, ratio', [((0, 4), 1.0), ((4,), 1.0), ((4, 4), 0.0), ((4, 4), 1.1)])
def test_settings_are_checked(size, ratio):
    with pytest.raises(ValueError, match='size must be|cat_max_ratio must be'):
        RandomClassCrop(size, ratio)
