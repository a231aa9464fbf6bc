"""The crop without a canvas equals the crop from a canvas, and small classes are in the middle."""

import numpy as np
import pytest
from layouts import labelling, pseudo_label
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmuda.datasets.pairs.domain_pair import seeded
from mmuda.datasets.transforms.crop_plan import plan_crop
from mmuda.datasets.transforms.draws import NumPyDraws
from mmuda.labeling import Argmax, MedianCap

MEAN_RGB = (123, 116, 103)


def pair(height: int, width: int, seed: int = 0) -> dict:
    """Return an image, and a label with blocks of twelve classes."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 12, (height // 6 + 1, width // 6 + 1)).repeat(6, 0).repeat(6, 1)[:height, :width]
    return dict(
        img=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        gt_seg_map=label.astype(np.uint8),
        ori_shape=(height, width),
        img_path='street.png',
    )


def crop(**kwargs):
    return TRANSFORMS.build(dict(type='SmallClassCrop', **{**dict(size=40, priority=(7,), mined=(3, 5)), **kwargs}))


def on_a_canvas(image, label, size, stride, label_stride, scales, origin, max_shape, probability, priority, mined):
    """Return the crop as the paper describes it: paste onto a canvas, then cut."""
    height, width = label.shape
    longest = max(max_shape)
    first, last = int(scales[0] * origin), int(scales[1] * origin)
    rate = np.random.randint(first, last + 1) / longest
    side, grid = int(size / rate), stride / rate
    d0 = max(1, int(grid // 2))
    d1 = max(0, int(grid - d0))
    canvas = max(int(size / (first / longest)), height, width) + d0 + d1
    pixels = np.empty((canvas, canvas, 3), np.uint8)
    pixels[:] = MEAN_RGB[::-1]
    labels = np.full((canvas, canvas), 255, np.uint8)
    pixels[d0 : d0 + height, d0 : d0 + width] = image
    labels[d0 : d0 + height, d0 : d0 + width] = label
    corner = None
    if np.random.uniform() < probability:
        rows, columns = (slice(d0 + side // 2, int(max(1, grid, d0 + n - side // 2 - 1))) for n in (height, width))
        inside = labels[rows, columns]
        found = [c for c in priority if (inside == c).any()] or [c for c in mined if (inside == c).any()]
        if found:
            chosen = found[int(np.random.uniform(0, len(found)))]
            places = np.argwhere(inside == chosen)
            place = places[np.random.randint(len(places))]
            corner = [place[0] + rows.start - side // 2, place[1] + columns.start - side // 2]
    mined_one = corner is not None
    if not mined_one:
        corner = [np.random.randint(int(max(1, grid, d0 + n - side + 1))) for n in (height, width)]
    rows, columns = (slice(start, start + side) for start in corner)
    filter = Image.Resampling.LANCZOS if side > size else Image.Resampling.BICUBIC
    pixels = np.array(Image.fromarray(pixels[rows, columns].copy()).resize((size, size), filter))
    middle = labels[rows, columns][side // 2, side // 2]
    labels = np.array(Image.fromarray(labels[rows, columns].copy()).resize((size, size), Image.Resampling.NEAREST))
    labels = labels[label_stride // 2 :: label_stride, label_stride // 2 :: label_stride]
    if np.random.uniform() < 0.5:
        pixels, labels = pixels[:, ::-1], labels[:, ::-1]
    return pixels, labels, middle if mined_one else None


@pytest.mark.parametrize('label_stride', [1, 8])
@pytest.mark.parametrize(
    'height, width, origin, max_shape, scales, probability',
    [
        (64, 120, None, None, (0.7, 1.3), 0.8),
        (64, 120, 100, (90, 160), (0.7, 1.3), 1),
        (20, 30, None, None, (0.7, 1.3), 0.5),
        (33, 200, 60, None, (0.5, 2), 0.8),
        (150, 41, None, (64, 64), (0.9, 1.1), 0.8),
        (64, 120, None, None, (1, 1), 0),
    ],
)
def test_equal_to_cutting_from_a_canvas(height, width, origin, max_shape, scales, probability, label_stride):
    transform = crop(
        label_stride=label_stride, origin_size=origin, max_shape=max_shape, scale_range=scales, probability=probability
    )
    found = set()
    for seed in range(25):
        data = pair(height, width, seed)
        shape = max_shape or (height, width)
        with seeded(seed):
            pixels, labels, middle = on_a_canvas(
                data['img'],
                data['gt_seg_map'],
                40,
                8,
                label_stride,
                scales,
                origin or max(shape),
                shape,
                probability,
                (7,),
                (3, 5),
            )
        with seeded(seed):
            results = transform(data)
        np.testing.assert_array_equal(results['img'], pixels)
        np.testing.assert_array_equal(results['gt_seg_map'], labels)
        found.add(middle if middle is None else int(middle))
    assert found <= {None, 7, 3, 5}
    if (height, probability) == (64, 1):
        assert 7 in found
    if probability == 0:
        assert found == {None}


def test_what_is_written():
    with seeded(1):
        results = crop(size=37, scale_range=(1, 1))(pair(90, 120))
    assert results['img'].shape == (40, 40, 3) and results['img'].dtype == np.uint8 and results['img_shape'] == (40, 40)
    assert results['gt_seg_map'].shape == (5, 5) and results['gt_seg_map'].dtype == np.uint8
    assert results['scale_factor'] == (1, 1)
    assert results['ori_shape'] == (90, 120)


def test_flips_mirror_image_and_label_and_are_told():
    plain, mirrored = (crop(flip=flip, label_stride=1) for flip in (0, 1))
    with seeded(3):
        first = plain(pair(80, 120))
    with seeded(3):
        second = mirrored(pair(80, 120))
    assert (first['flip'], first['flip_direction']) == (False, None)
    assert (second['flip'], second['flip_direction']) == (True, 'horizontal')
    np.testing.assert_array_equal(first['img'], second['img'][:, ::-1])
    np.testing.assert_array_equal(first['gt_seg_map'], second['gt_seg_map'][:, ::-1])


def test_a_small_class_is_in_the_middle():
    data = pair(90, 160)
    data['gt_seg_map'][:] = 0
    data['gt_seg_map'][40:43, 80:83] = 3
    always, never = (crop(probability=each, scale_range=(1, 1), flip=0, label_stride=1) for each in (1, 0))
    middles = {1: [], 0: []}
    for seed in range(30):
        for probability, transform in ((1, always), (0, never)):
            with seeded(seed):
                middles[probability].append(transform(dict(data))['gt_seg_map'][20, 20])
    assert set(middles[1]) == {3} and middles[0].count(3) < 5


def test_priority_comes_first_and_the_edge_does_not_count():
    label = np.zeros((90, 160), np.uint8)
    label[40:50, 60:70], label[60, 100], label[0, 0] = 3, 7, 9
    rule = crop(probability=1).rule
    for priority, mined, candidates in (
        ((7,), (3,), (7,)),
        ((9,), (3,), (3,)),
        ((9,), (5,), ()),
        ((), (5, 3, 0), (3, 0)),
    ):
        plan = plan_crop(label, label.shape, rule, priority, mined, NumPyDraws())
        assert plan.mining and plan.candidates == candidates
        assert plan.num_locations == {7: 1, 3: 100, None: 0}.get(plan.chosen, plan.num_locations)


def test_the_plan_needs_no_label_without_mining():
    data = pair(60, 80)
    del data['gt_seg_map']
    results = crop(probability=0, priority=None, mined=None)(data)
    assert results['img'].shape == (40, 40, 3) and 'gt_seg_map' not in results
    with pytest.raises(ValueError, match='street.png has no label .* set probability=0'):
        crop()(pair(60, 80) | {'gt_seg_map': None})


def test_the_input_is_left_alone():
    data = pair(60, 80)
    image, label = data['img'].copy(), data['gt_seg_map'].copy()
    before = dict(data)
    crop(border=(1, 2, 3))(data)
    np.testing.assert_array_equal(before['img'], image)
    np.testing.assert_array_equal(before['gt_seg_map'], label)


def test_the_generator_decides_all():
    transform = crop()
    with seeded(5):
        first = transform(pair(60, 80))['img']
    with seeded(5):
        again = transform(pair(60, 80))['img']
    with seeded(6):
        other = transform(pair(60, 80))['img']
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_any_whole_border_colour_in_rgb():
    with seeded(0):
        results = crop(border=(1, 2, 3), scale_range=(0.2, 0.2), flip=0, probability=0)(pair(30, 30))
    assert (results['img'] == (3, 2, 1)).all(axis=2).any()


def test_bad_input_is_told():
    with pytest.raises(ValueError, match='gt_seg_map of street.png is .30, 40., but the image is .60, 80.'):
        crop()(pair(60, 80) | {'gt_seg_map': np.zeros((30, 40), np.uint8)})
    with pytest.raises(TypeError, match='gt_seg_map of street.png must be uint8 .*int64'):
        crop()(pair(60, 80) | {'gt_seg_map': np.zeros((60, 80), np.int64)})
    with pytest.raises(TypeError, match='street.png must be .H, W, 3. uint8, but is .60, 80. uint8'):
        crop()(pair(60, 80) | {'img': np.zeros((60, 80), np.uint8)})


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(size=0), 'must be positive'),
        (dict(label_stride=7), 'label_stride=7 does not divide the crop of 40'),
        (dict(scale_range=(1.3, 0.7)), 'smallest <= largest'),
        (dict(scale_range=(0, 1)), '0 < smallest'),
        (dict(probability=1.5), r'in \[0, 1\]'),
        (dict(flip=-1), r'in \[0, 1\]'),
        (dict(priority=None, mined=None), 'set either manifest'),
        (dict(manifest='labels'), 'not both'),
    ],
)
def test_bad_settings_are_told(kwargs, message):
    with pytest.raises(ValueError, match=message):
        crop(**kwargs)


@pytest.mark.parametrize('strategy', [Argmax(), MedianCap()])
def test_class_sizes_of_a_labelling_decide_what_is_mined(tmp_path, strategy):
    """The manifest of a labelling decides which classes are mined. It can be written after the pipeline is built."""
    folder = labelling(tmp_path, strategy=strategy)
    crop = TRANSFORMS.build(
        dict(type='SmallClassCrop', size=16, manifest=str(tmp_path / 'later'), threshold=0.05, number=2)
    )
    with pytest.raises(FileNotFoundError, match='later'):
        crop.small_classes()
    folder.rename(tmp_path / 'later')
    sizes = sum(np.bincount((pseudo_label(n) % 16).ravel(), minlength=16) for n in range(3))
    priority, mined = crop.small_classes()
    assert priority == tuple(np.flatnonzero(sizes / sizes.sum() < 0.05)) and 0 < len(priority) < 16
    assert mined == tuple(np.argsort(sizes, kind='stable')[:2])
