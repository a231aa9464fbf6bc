"""Counting of the classes in all labels, and the cache of the counts."""

import json
import os

import layouts
import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from PIL import Image
from processes import run_on_processes

import mmuda.datasets.class_presence as module
from mmuda.datasets import SYNTHIA16, GTA5Dataset, RawSegDataset, SYNTHIADataset, class_counts, classes_present
from mmuda.datasets.transforms import LoadDomainAnnotations

LOAD = [dict(type='LoadDomainAnnotations')]


def expected(dataset) -> np.ndarray:
    """Return the class counts of all images, computed from the labels that the whole pipeline returns."""
    num_classes = len(dataset.metainfo['classes'])
    labels = [dataset[i]['gt_seg_map'] for i in range(len(dataset))]
    return np.array([[(label == c).sum() for c in range(num_classes)] for label in labels])


def gta(root, **kwargs) -> GTA5Dataset:
    return GTA5Dataset(data_root=str(root), pipeline=LOAD, **kwargs)


def raw(root, labels, table=None, **kwargs) -> RawSegDataset:
    """Write 8-bit labels with these ids and return their data set."""
    for n, ids in enumerate(labels):
        layouts.write(root / 'images' / f'{n}.png', layouts.image(n, *ids.shape))
        layouts.write(root / 'labels' / f'{n}.png', ids)
    return RawSegDataset(data_root=str(root), label_table=table or 'train_ids', pipeline=LOAD, **kwargs)


@pytest.fixture
def reads(monkeypatch) -> list:
    """Record the paths of the label files that are read."""
    found, transform = [], LoadDomainAnnotations.transform

    def noted(self, results):
        found.append(results['seg_map_path'])
        return transform(self, results)

    monkeypatch.setattr(LoadDomainAnnotations, 'transform', noted)
    return found


def test_gta_counts_are_those_of_its_own_pipeline(tmp_path):
    dataset = gta(layouts.gta5(tmp_path, 4))
    counts = class_counts(dataset)
    assert counts.dtype == np.int32 and counts.shape == (4, 19) and counts.min() > 0
    np.testing.assert_array_equal(counts, expected(dataset))


def test_sixteen_bit_labels_with_fewer_classes(tmp_path):
    dataset = SYNTHIADataset(
        data_root=str(layouts.synthia(tmp_path, 3)), metainfo=dict(classes=SYNTHIA16), pipeline=LOAD
    )
    np.testing.assert_array_equal(class_counts(dataset), expected(dataset))
    assert class_counts(dataset).shape == (3, 16) and class_counts(dataset).all()


def test_labels_that_mmseg_loads(tmp_path, cache_dir):
    for n in range(2):
        layouts.write(tmp_path / 'img' / f'{n}.png', layouts.image(n))
        layouts.write(tmp_path / 'seg' / f'{n}.png', layouts.ids([0, n + 1, 255], n))
    settings = dict(
        data_prefix=dict(img_path=str(tmp_path / 'img'), seg_map_path=str(tmp_path / 'seg')),
        img_suffix='.png',
        metainfo=dict(classes=('a', 'b', 'c')),
        reduce_zero_label=False,
        pipeline=[dict(type='LoadAnnotations')],
    )
    dataset = BaseSegDataset(**settings)
    for again in (dataset, dataset, BaseSegDataset(**settings)):
        assert classes_present(again).tolist() == [[True, True, False], [True, False, True]]
    assert len(list(cache_dir.glob('class_counts/*'))) == 1, (
        'state that the step stores in itself must not change the key'
    )


def test_presence_needs_so_many_pixels(tmp_path):
    dataset = raw(tmp_path, [np.array([[0, 0, 0], [1, 255, 255]]), np.array([[2, 2, 0], [255, 255, 255]])])
    assert classes_present(dataset)[:, :4].tolist() == [[True, True, False, False], [True, False, True, False]]
    assert classes_present(dataset, 2)[:, :4].tolist() == [[True, False, False, False], [False, False, True, False]]
    with pytest.raises(ValueError, match='at least 1, but got 0'):
        classes_present(dataset, 0)


def test_the_answer_is_kept(tmp_path, cache_dir, reads):
    root = layouts.gta5(tmp_path, 3)
    first = class_counts(gta(root))
    assert len(reads) == 3
    np.testing.assert_array_equal(class_counts(gta(root)), first)
    assert len(reads) == 3, 'the counts must come from the cache'
    assert [path.suffix for path in cache_dir.glob('class_counts/*')] == ['.json'], 'no temporary file must be left'


@pytest.mark.parametrize('change', ['content', 'time', 'name', 'more', 'classes', 'table', 'unknown', 'selection'])
def test_it_is_found_anew_when_something_changes(tmp_path, reads, change):
    root = layouts.gta5(tmp_path, 3)
    class_counts(gta(root))
    label, kwargs, pipeline = root / 'labels' / '00002.png', {}, LOAD
    if change == 'content':
        layouts.write_palette(label, np.full((layouts.H, layouts.W), 7))
    elif change == 'time':
        os.utime(label, ns=(1, 1))
    elif change == 'name':
        label.rename(label.with_name('x.png'))
        (root / 'images' / '00002.png').rename(root / 'images' / 'x.png')
    elif change == 'more':
        layouts.write(root / 'images' / '00009.png', layouts.image(9))
        layouts.write_palette(root / 'labels' / '00009.png', layouts.ids(range(35), 9))
    elif change == 'classes':
        kwargs = dict(metainfo=dict(classes=SYNTHIA16))
    elif change == 'table':
        kwargs = dict(label_table={id: id % 5 for id in range(35)})
    elif change == 'unknown':
        pipeline = [dict(LOAD[0], unknown=255)]
    else:
        kwargs = dict(indices=[2, 0])
    reads.clear()
    dataset = GTA5Dataset(data_root=str(root), pipeline=pipeline, **kwargs)
    counts = class_counts(dataset)
    assert len(reads) == len(dataset)
    np.testing.assert_array_equal(counts, expected(dataset))


def torn(text: str) -> str:
    return text[: len(text) // 2]


def other_number(text: str) -> str:
    content = json.loads(text)
    content['content'][0][0] += 1
    return json.dumps(content)


def other_data(text: str) -> str:
    return json.dumps(dict(json.loads(text), fingerprint='0' * 64))


def fewer_rows(text: str) -> str:
    content = json.loads(text)
    return json.dumps(dict(content, content=content['content'][1:]))


@pytest.mark.parametrize(
    'spoil',
    [
        torn,
        other_number,
        other_data,
        fewer_rows,
        lambda text: '[]',
        lambda text: '{}',
        lambda text: '',
        lambda text: '{"content": "x", "fingerprint": 1}',
    ],
)
def test_a_damaged_or_foreign_file_is_not_trusted(tmp_path, cache_dir, reads, spoil):
    root = layouts.gta5(tmp_path, 2)
    first = class_counts(gta(root))
    (path,) = cache_dir.glob('class_counts/*')
    good = path.read_text()
    path.write_text(spoil(good))
    reads.clear()
    np.testing.assert_array_equal(class_counts(gta(root)), first)
    assert len(reads) == 2
    assert path.read_text() == good, 'the damaged file must be replaced'


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch, capsys):
    blocked = tmp_path / 'file'
    blocked.write_text('')
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(blocked))
    dataset = gta(layouts.gta5(tmp_path / 'gta', 2), check_sizes=False)
    np.testing.assert_array_equal(class_counts(dataset), expected(dataset))


def test_parts_of_a_concatenation(tmp_path):
    parts = [gta(layouts.gta5(tmp_path / 'a', 2)), gta(layouts.gta5(tmp_path / 'b', 3))]
    counts = class_counts(ConcatDataset(parts))
    np.testing.assert_array_equal(counts, np.concatenate([expected(part) for part in parts]))


def test_more_labels_than_are_read_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'AHEAD', 2)
    dataset = gta(layouts.gta5(tmp_path, 5))
    np.testing.assert_array_equal(class_counts(dataset), expected(dataset))


def test_bad_input_is_told(tmp_path):
    def labelled(*classes: str) -> BaseSegDataset:
        return BaseSegDataset(
            data_prefix=dict(img_path=str(tmp_path / 'images'), seg_map_path=str(tmp_path / 'labels')),
            img_suffix='.png',
            metainfo=dict(classes=classes),
            reduce_zero_label=False,
            pipeline=[dict(type='LoadAnnotations')],
        )

    layouts.write(tmp_path / 'images/0.png', layouts.image(0, 1, 3))
    layouts.write(tmp_path / 'labels/0.png', np.array([[0, 3, 255]], np.uint8))
    assert class_counts(labelled('road', 'sidewalk', 'building', 'wall')).tolist() == [[1, 0, 0, 1]]
    dataset = labelled('road', 'sidewalk')
    with pytest.raises(ValueError, match=r'0\.png has the train ids 3, but BaseSegDataset has the classes 0-1'):
        class_counts(dataset)
    with pytest.raises(ValueError, match='loads no label, so its classes cannot be counted: add one of'):
        class_counts(GTA5Dataset(data_root=str(layouts.gta5(tmp_path / 'gta', 1)), pipeline=[]))
    with pytest.raises(TypeError, match='but got list'):
        class_counts([1, 2])
    with pytest.raises(ValueError, match='BaseDataset has no classes'):
        class_counts(BaseDataset(lazy_init=True))


def test_a_label_that_cannot_be_read_is_named(tmp_path, cache_dir):
    root = layouts.gta5(tmp_path, 3)
    dataset = gta(root)
    (root / 'labels' / '00002.png').write_bytes(b'\x89PNG\r\n\x1a\n damaged')
    with pytest.raises(OSError, match='00002.png'):
        class_counts(dataset)
    assert not list(cache_dir.glob('class_counts/*')), 'after an error, nothing must be cached'
    layouts.write_palette(root / 'labels' / '00002.png', layouts.ids(range(35), 2))
    np.testing.assert_array_equal(class_counts(dataset), expected(dataset))


def test_the_palette_is_not_looked_up(tmp_path):
    """Palette files are counted by their indices, not by their colours, which would give other ids."""
    root = layouts.gta5(tmp_path, 1)
    with Image.open(root / 'labels' / '00001.png') as image:
        assert image.mode == 'P'
    dataset = gta(root)
    assert class_counts(dataset).sum() == (dataset[0]['gt_seg_map'] != 255).sum()


def count_good_and_bad(rank: int, good: str, bad: str) -> tuple:
    """Return the counts of one data set and the error of another one, on one of several processes."""
    init_default_scope('mmseg')
    counts = class_counts(gta(good))
    try:
        class_counts(gta(bad, check_sizes=False))
    except (OSError, RuntimeError) as error:
        return counts.tolist(), f'{type(error).__name__} {error}'
    return counts.tolist(), 'no error'


def test_two_processes_get_one_answer(tmp_path):
    good, bad = layouts.gta5(tmp_path / 'good', 3), layouts.gta5(tmp_path / 'bad', 2)
    (bad / 'labels' / '00001.png').write_bytes(b'')
    (first, told), (second, told_to_the_other) = run_on_processes(count_good_and_bad, tmp_path, str(good), str(bad))
    assert first == second == expected(gta(good)).tolist()
    assert '00001.png' in told
    assert told_to_the_other.startswith('RuntimeError the main process failed: OSError'), (
        'the other process must get an error instead of waiting'
    )


def test_pseudo_labels_of_another_size_are_counted_as_they_are(tmp_path):
    label = np.zeros((4, 6), np.uint8)
    label[0] = 1
    Image.fromarray(label).save(tmp_path / 'label.png')

    class Labelled(BaseSegDataset):
        METAINFO = dict(classes=('a', 'b'), palette=[[0, 0, 0], [1, 1, 1]])

        def load_data_list(self):
            return [dict(img_path='image.png', seg_map_path=str(tmp_path / 'label.png'), num_classes=2)]

    dataset = Labelled(pipeline=[dict(type='LoadPseudoLabel', resize=True)])
    assert class_counts(dataset).tolist() == [[18, 6]]
    assert dataset.pipeline.transforms[0].resize, 'the step of the data set must not change'
