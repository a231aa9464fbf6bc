"""A random window loaded alone equals the crop of the whole image."""

import cv2
import numpy as np
import pytest
from layouts import ids, image, write
from mmcv.transforms import Compose
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image

from mmuda.datasets import DomainPairDataset
from mmuda.datasets.pairs.domain_pair import seeded
from mmuda.datasets.transforms import LoadDomainAnnotations, LoadDomainImage, LoadDomainWindow, LoadPseudoLabel

tifffile = pytest.importorskip('tifffile')
SIZE, SHAPE = (24, 32), (90, 120)
COLOURS = {(255, 255, 255): 0, (0, 0, 255): 1, (0, 255, 255): 2}


def save(path, values):
    """Write pixels in RGB order as a tiled TIFF, an array or a PNG."""
    if path.suffix == '.tif':
        options = dict(photometric='rgb') if values.ndim == 3 else {}
        tifffile.imwrite(path, values, tile=(32, 16), compression='zlib', **options)
    elif path.suffix == '.npy':
        np.save(path, values)
    else:
        write(path, values)
    return str(path)


def run(steps, sample, seed):
    with seeded(7, seed):
        return Compose(steps)(dict(sample, seg_fields=[]))


def whole_then_cut(sample, seed, annotations):
    """Read the whole image and cut the window given by the same draws."""
    results = run([LoadDomainImage(), annotations], sample, seed)
    with seeded(7, seed):
        top = np.random.randint(0, SHAPE[0] - SIZE[0] + 1)
        left = np.random.randint(0, SHAPE[1] - SIZE[1] + 1)
    cut = (slice(top, top + SIZE[0]), slice(left, left + SIZE[1]))
    return results['img'][cut], results['gt_seg_map'][cut]


@pytest.mark.parametrize('labels', ['ids.tif', 'ids.png', 'ids.npy', 'colours.tif', 'colours.png', 'palette.tif'])
@pytest.mark.parametrize('suffix', ['.tif', '.npy', '.png'])
def test_image_and_label_are_those_of_the_whole_file(tmp_path, suffix, labels):
    raw = ids(range(3), 1, *SHAPE).astype(np.uint8)
    label = tmp_path / labels
    if label.stem == 'palette':
        tifffile.imwrite(label, raw, photometric='palette', colormap=np.zeros((3, 256), np.uint16), tile=(16, 16))
    else:
        save(label, np.array(list(COLOURS), np.uint8)[raw] if label.stem == 'colours' else raw)
    sample = dict(img_path=save(tmp_path / f'image{suffix}', image(0, *SHAPE)), seg_map_path=str(label))
    annotations = LoadDomainAnnotations(table=COLOURS if label.stem == 'colours' else {0: 0, 1: 1, 2: 2})
    corners = set()
    for seed in range(4):
        results = run([LoadDomainWindow(SIZE), annotations], sample, seed)
        wanted_image, wanted_label = whole_then_cut(sample, seed, annotations)
        assert np.array_equal(results['img'], wanted_image) and results['img'].flags.c_contiguous
        assert np.array_equal(results['gt_seg_map'], wanted_label) and results['gt_seg_map'].dtype == np.uint8
        assert (results['img_shape'], results['ori_shape']) == (SIZE, SHAPE)
        corners.add(results['window'])
    assert len(corners) == 4


def test_pairs_are_a_function_of_seed_and_place(tmp_path):
    sides = {}
    for side in ('source', 'target'):
        root = tmp_path / side
        for folder in ('images', 'labels'):
            (root / folder).mkdir(parents=True)
        for number in range(2):
            save(root / f'images/{number}.tif', image(number, *SHAPE))
            save(root / f'labels/{number}.tif', ids(range(2), number, *SHAPE).astype(np.uint8))
        steps = [dict(type='LoadDomainWindow', size=SIZE), dict(type='LoadDomainAnnotations')]
        prefix = dict(img_path='images', seg_map_path='labels')
        if side == 'target':
            steps, prefix = steps[:1], dict(img_path='images')
        sides[side] = dict(
            type='RawSegDataset',
            data_root=str(root),
            data_prefix=prefix,
            label_classes=('a', 'b'),
            max_pixels=1000,  # a window of the large image stays below this limit
            pipeline=[*steps, dict(type='PackSegInputs')],
        )
    pairs = [DomainPairDataset(**sides, seed=3) for _ in range(2)]
    order = [(0, 0, 1), (1, 1, 0), (2, 0, 0)]
    first = {index: pairs[0][index] for index in order}
    for index in reversed(order):
        for side, packed in pairs[1][index].items():
            assert (packed['inputs'] == first[index][side]['inputs']).all()
            assert packed['inputs'].shape[1:] == SIZE
    label = first[order[0]]['source']['data_samples'].gt_sem_seg.data[0].numpy()
    window = first[order[0]]['source']['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
    whole = cv2.matchTemplate(image(0, *SHAPE), np.ascontiguousarray(window), cv2.TM_SQDIFF)
    top, left = np.unravel_index(whole.argmin(), whole.shape)
    assert whole.min() == 0
    assert np.array_equal(label, ids(range(2), 0, *SHAPE)[top : top + SIZE[0], left : left + SIZE[1]])


def test_pseudo_labels_are_cut_alike(tmp_path):
    path, raw = save(tmp_path / 'image.tif', image(0, *SHAPE)), ids(range(3), 1, *SHAPE).astype(np.uint8)
    sample = dict(img_path=path, seg_map_path=save(tmp_path / 'label.png', raw))
    results = run([LoadDomainWindow(SIZE), LoadPseudoLabel(num_classes=3)], sample, 0)
    assert np.array_equal(results['gt_seg_map'], results['window'].of(raw))
    Image.fromarray(raw[:50]).save(tmp_path / 'label.png')
    with pytest.raises(ValueError, match=r'label.png is 120x50 .* is 120x90'):
        run([LoadDomainWindow(SIZE), LoadPseudoLabel(num_classes=3)], sample, 0)


@pytest.mark.parametrize('suffix', ['.tif', '.png'])
def test_labels_of_another_size(tmp_path, suffix):
    label = save(tmp_path / f'label{suffix}', ids(range(2), 1, 50, 120).astype(np.uint8))
    sample = dict(img_path=save(tmp_path / 'image.tif', image(0, *SHAPE)), seg_map_path=label, same_size=False)
    with pytest.raises(ValueError, match=r'differ in size .* is 120x90, .*label\.\w+ is 120x50'):
        run([LoadDomainWindow(SIZE), LoadDomainAnnotations(table={0: 0, 1: 1})], sample, 0)


def test_images_below_the_window_are_not_padded(tmp_path):
    path = save(tmp_path / 'image.tif', image(0, 20, 50))
    results = run([LoadDomainWindow(SIZE)], dict(img_path=path), 0)
    assert results['img'].shape == (20, 32, 3) and results['img_shape'] == (20, 32)


def test_large_files_of_other_formats_are_refused(tmp_path):
    sample = dict(img_path=save(tmp_path / 'image.png', image(0, *SHAPE)), max_pixels=1000)
    with pytest.raises(ValueError, match='max_pixels'):
        run([LoadDomainWindow(SIZE)], sample, 0)


def test_settings():
    step = TRANSFORMS.build(dict(type='LoadDomainWindow', size=SIZE, color_type='unchanged'))
    assert step.color_type == 'unchanged' and 'size=(24, 32)' in repr(step)
    with pytest.raises(ValueError, match='size must be'):
        LoadDomainWindow((0, 5))
    assert DATASETS.get('RawSegDataset') is not None
