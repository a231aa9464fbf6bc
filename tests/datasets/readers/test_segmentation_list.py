"""Text files that list images and labels."""

import numpy as np
import pytest
from layouts import H, W, ids, image, write

import mmuda.datasets.transforms  # noqa: F401
from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.datasets.readers.segmentation_list import SegmentationListDataset

LOAD = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]


@pytest.fixture
def root(tmp_path):
    for n in range(3):
        write(tmp_path / 'frames' / f'{n}.jpg', image(n))
        write(tmp_path / 'labels' / f'{n}.png', ids([*range(19), 255], n))
    return tmp_path


def build(root, text, **kwargs):
    (root / 'list.txt').write_text(text)
    return SegmentationListDataset(ann_file='list.txt', data_root=str(root), **kwargs)


def test_pairs_in_the_order_of_the_list(root):
    dataset = build(root, '# a comment\n\nframes/2.jpg labels/2.png\n  frames/0.jpg\tlabels/0.png  \n', pipeline=LOAD)
    assert len(dataset) == 2
    assert dataset.metainfo['classes'] == CITYSCAPES_CLASSES
    for index, n in enumerate((2, 0)):
        assert dataset[index]['img_path'] == str(root / 'frames' / f'{n}.jpg')
        np.testing.assert_array_equal(dataset[index]['gt_seg_map'], ids([*range(19), 255], n))


def test_unlabelled(root):
    dataset = build(root, 'frames/0.jpg\nframes/1.jpg\n', pipeline=LOAD[:1])
    assert all('seg_map_path' not in dataset[n] and 'label_table' not in dataset[n] for n in range(2))
    # Labels of a target domain are not read, and not even checked for existence.
    dataset = build(root, 'frames/0.jpg labels/gone.png\n', use_labels=False, pipeline=LOAD[:1])
    assert 'seg_map_path' not in dataset[0]


def test_some_lines_without_labels(root):
    text = 'frames/0.jpg labels/0.png\nframes/1.jpg\n'
    dataset = build(root, text, pipeline=LOAD)
    assert 'gt_seg_map' in dataset[0]
    with pytest.raises(ValueError, match=r'no label file belongs to .*1\.jpg'):
        dataset[1]
    with pytest.raises(ValueError, match=r'list\.txt, line 2: frames/1\.jpg has no label'):
        build(root, text, require_labels=True)


def test_repeated_lines_repeat_samples(root):
    assert len(build(root, 'frames/0.jpg\n' * 3)) == 3


def test_names_with_blanks(root):
    write(root / 'my frames' / 'a b.png', image(5))
    write(root / 'my labels' / 'a b.png', ids(range(19), 5))
    dataset = build(root, 'my frames/a b.png\tmy labels/a b.png\n', pipeline=LOAD)
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], ids(range(19), 5))
    with pytest.raises(ValueError, match=r'list\.txt, line 1: .*tab'):
        build(root, 'my frames/a b.png my labels/a b.png\n')


def test_lines_that_are_one_name(root):
    write(root / 'my frames' / 'a b.png', image(5))
    dataset = build(root, f'frames/0.jpg\n{root}/my frames/a b.png\n', images_only=True, pipeline=LOAD[:1])
    assert dataset[1]['img_path'] == f'{root}/my frames/a b.png' and 'seg_map_path' not in dataset[1]
    with pytest.raises(ValueError, match='require_labels=True and images_only=True contradict'):
        build(root, 'frames/0.jpg', images_only=True, require_labels=True)


def test_raw_ids(root):
    write(root / 'raw.png', ids(range(35)))
    dataset = build(root, 'frames/0.jpg raw.png', label_table='cityscapes', pipeline=LOAD)
    assert set(np.unique(dataset[0]['gt_seg_map'])) == {*range(19), 255}
    with pytest.raises(ValueError, match=r"raw\.png holds the label ids 19-34.*'train_ids'"):
        build(root, 'frames/0.jpg raw.png', pipeline=LOAD)[0]


def test_classes_that_are_not_those_of_cityscapes(root):
    write(root / 'own.png', ids([0, 1, 2, 255]))
    names = ['crop', 'weed', 'soil']
    dataset = build(root, 'frames/0.jpg own.png', label_classes=names, pipeline=LOAD)
    assert dataset.metainfo['classes'] == tuple(names) and len(dataset.metainfo['palette']) == 3
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], ids([0, 1, 2, 255]))
    dataset = build(root, 'frames/0.jpg own.png', label_classes=names, metainfo=dict(palette=[[1, 2, 3]] * 3))
    assert dataset.metainfo['palette'] == [[1, 2, 3]] * 3
    dataset = build(
        root, 'frames/0.jpg own.png', label_classes=names, label_table={0: 2, 1: 0, 2: 1, 255: 255}, pipeline=LOAD
    )
    expected = np.array([2, 0, 1] + [255] * 253)[ids([0, 1, 2, 255])]
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], expected)
    with pytest.raises(ValueError, match='not both'):
        build(root, 'frames/0.jpg own.png', label_classes=names, metainfo=dict(classes=['road']))
    with pytest.raises(ValueError, match='there are 2 classes'):
        build(root, 'frames/0.jpg own.png', label_classes=names[:2], label_table={0: 2})


def test_subset_of_the_classes(root):
    dataset = build(root, 'frames/0.jpg labels/0.png', metainfo=dict(classes=['sky', 'road']), pipeline=LOAD)
    raw = ids([*range(19), 255])
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], np.select([raw == 10, raw == 0], [0, 1], 255))


def test_errors_before_training(root):
    with pytest.raises(ValueError, match=r'list\.txt, line 3: expected'):
        build(root, '#\nframes/0.jpg\nframes/0.jpg labels/0.png 3\n')
    with pytest.raises(ValueError, match=r'list\.txt lists nothing'):
        build(root, '# only this\n')
    with pytest.raises(FileNotFoundError, match=r'gone\.txt does not exist.*data_root'):
        SegmentationListDataset(ann_file='gone.txt', data_root=str(root))
    with pytest.raises(ValueError, match='needs ann_file'):
        SegmentationListDataset(ann_file='')
    with pytest.raises(ValueError, match='contradict'):
        build(root, 'frames/0.jpg', require_labels=True, use_labels=False)
    with pytest.raises(
        ValueError, match=r'2 of 3 .*file missing: 2.*\n.*frames/8\.jpg missing\n.*labels/9\.png missing'
    ):
        build(root, 'frames/0.jpg\nframes/8.jpg\nframes/1.jpg labels/9.png')
    write(root / 'small.png', ids(range(19), 0, H - 1, W))
    with pytest.raises(ValueError, match=r'1 of 1 .*\n.*0\.jpg is 20x12, .*small\.png is 20x11(.|\n)*No pair is left'):
        build(root, 'frames/0.jpg small.png')


@pytest.mark.parametrize(
    'line', ['../frames/0.jpg labels/0.png', 'frames/0.jpg ../../labels/0.png', '/etc/passwd labels/0.png']
)
def test_names_stay_below_the_root(root, line):
    inner = root / 'inner'
    inner.mkdir()
    (inner / 'list.txt').write_text(f'# comment\n{line}\n')
    with pytest.raises(ValueError, match=r"list.txt, line 2: '.*' is outside of .*/inner: set outside_root=True"):
        SegmentationListDataset(ann_file='list.txt', data_root=str(inner))
    (inner / 'list.txt').write_text('../frames/0.jpg ../labels/0.png\n')
    assert len(SegmentationListDataset(ann_file='list.txt', data_root=str(inner), outside_root=True)) == 1


def test_folders_that_the_config_names_count_as_roots(root):
    dataset = build(root, '0.jpg\n', data_prefix=dict(img_path=str(root / 'frames')), pipeline=LOAD[:1])
    assert dataset[0]['img_path'] == str(root / 'frames/0.jpg')


@pytest.mark.parametrize(
    'content, message', [(b'\xff\xfe\x80\n', 'not text in UTF-8'), (b'a\0b.png\n', 'line 1: .* NUL byte')]
)
def test_lists_that_are_no_text(root, content, message):
    (root / 'list.txt').write_bytes(content)
    with pytest.raises(ValueError, match=f'list.txt.*{message}'):
        SegmentationListDataset(ann_file='list.txt', data_root=str(root), images_only=True)


def test_lists_of_windows(root):
    """Lists written on Windows are read, with a byte-order mark and backslashes."""
    (root / 'list.txt').write_text('frames\\0.jpg labels\\0.png\r\nframes/1.jpg labels/1.png\r\n', encoding='utf-8-sig')
    dataset = SegmentationListDataset(ann_file='list.txt', data_root=str(root))
    assert [dataset.get_data_info(n)['img_path'] for n in range(2)] == [
        str(root / 'frames' / f'{n}.jpg') for n in range(2)
    ]
    (root / 'list.txt').write_text('frames/0.jpg labels/0.png\n', encoding='utf-16')
    with pytest.raises(ValueError, match=r'list\.txt is not text in UTF-8, but in UTF-16: save it as UTF-8'):
        SegmentationListDataset(ann_file='list.txt', data_root=str(root))
