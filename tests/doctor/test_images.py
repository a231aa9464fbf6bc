"""Examination of decoded images and labels of a data set."""

import shutil

import cv2
import numpy as np
import pytest
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmuda.datasets import GTA5Dataset
from mmuda.doctor.images import choose, read_images

PIPELINE = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), dict(type='PackSegInputs')]


@pytest.fixture
def source(minicity, tmp_path):
    return shutil.copytree(minicity / 'source', tmp_path / 'source')


def dataset(root, pipeline=PIPELINE):
    return GTA5Dataset(data_root=str(root), pipeline=pipeline, check_sizes=False)


def test_images_are_spread_over_all():
    assert choose(5, None) == choose(5, 9) == [0, 1, 2, 3, 4]
    assert choose(100, 3) == [0, 49, 99] and choose(7, 1) == [0]


def test_shares_are_those_of_the_labels(source):
    data = dataset(source)
    reading = read_images(data, range(len(data)), 'source')
    counts = np.zeros(19)
    for index in range(len(data)):
        label = data[index]['data_samples'].gt_sem_seg.data.numpy()
        counts += np.bincount(label[label < 19], minlength=19)
    assert np.allclose(reading.shares, counts / counts.sum()) and reading.complete
    assert not reading.damaged and not reading.unknown
    assert reading.label_pixels == len(data) * 64 * 48 and reading.label_bytes > 0
    assert reading.content()['shares']['road'] == pytest.approx(counts[0] / counts.sum())


def test_archives_are_read_as_folders(source, tmp_path):
    shutil.make_archive(str(tmp_path / 'archives/source'), 'zip', source)
    data, packed = dataset(source), dataset(f'zip://{tmp_path}/archives')
    reading, same = (read_images(one, range(len(one)), 'source') for one in (data, packed))
    assert not same.damaged and same.content() == reading.content() and same.label_bytes == reading.label_bytes


def test_files_that_do_not_decode_and_values_without_a_meaning(source):
    image, label, strange = (
        source / folder / f'0000{n}.png' for folder, n in (('images', 1), ('labels', 2), ('labels', 3))
    )
    image.write_bytes(image.read_bytes()[:-40])
    label.write_bytes(b'not an image')
    cv2.imwrite(str(strange), np.full((48, 64), 77, np.uint8))
    data = dataset(source)
    reading = read_images(data, range(len(data)), 'source')
    assert len(reading.damaged) == 2 and {str(path) in ' '.join(reading.damaged) for path in (image, label)} == {True}
    assert len(reading.unknown) == 1 and '77' in reading.unknown[0] and str(strange) in reading.unknown[0]


def test_a_data_set_without_labels_has_no_shares(source):
    reading = read_images(dataset(source, PIPELINE[:1]), [0, 1], 'source')
    assert not reading.has_labels and not reading.complete and reading.content()['shares'] is None


@pytest.mark.parametrize('step', ['LoadDomainImage', 'mmcv.LoadImageFromFile'])
def test_the_bound_on_pixels_is_that_of_the_data_set(source, step):
    image = source / 'images/00001.png'
    image.write_bytes(image.read_bytes()[:-40])
    data = dataset(source, [dict(type=step)])
    assert len(read_images(data, range(3), 'source').damaged) == 1
    data.max_pixels = 64 * 48 - 1
    damaged = read_images(data, range(3), 'source').damaged
    assert len(damaged) == 3 and 'max_pixels=3,071' in damaged[0]


def test_images_are_read_by_the_step_of_the_pipeline(source):
    for path in (source / 'images').iterdir():
        assert cv2.imwrite(str(path.with_suffix('.tiff')), np.zeros((48, 64), np.float32))
        path.unlink()

    @TRANSFORMS.register_module(force=True)
    class LoadFloats(BaseTransform):
        def transform(self, results):
            results['img'] = cv2.imread(results['img_path'], cv2.IMREAD_UNCHANGED)
            assert results['img'].dtype == np.float32
            return results

    data = GTA5Dataset(data_root=str(source), img_suffix='.tiff', pipeline=[dict(type='LoadFloats')], check_sizes=False)
    assert not read_images(data, range(len(data)), 'source').damaged
    data.pipeline.transforms[0].transform = lambda results: 1 / 0
    assert len(read_images(data, range(len(data)), 'source').damaged) == len(data)
