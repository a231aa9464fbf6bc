"""Reading of pseudo label files."""

import numpy as np
import pytest
from layouts import image, pseudo_label, write, write_palette, write_synthia
from mmseg.registry import TRANSFORMS
from PIL import Image

H, W = 12, 20
PIPELINE = [dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), dict(type='PackSegInputs')]


def load(path, results=(), **kwargs) -> dict:
    transform = TRANSFORMS.build(dict(type='LoadPseudoLabel', **kwargs))
    basic = dict(img_path='street.png', seg_map_path=str(path), num_classes=16, seg_fields=[])
    return transform({**basic, **dict(results)})


def test_train_ids_are_taken_as_they_are(tmp_path):
    path = write(tmp_path / 'label.png', pseudo_label())
    results = load(
        path,
        dict(
            label_map={n: 255 for n in range(19)},
            label_table='gta5',
            reduce_zero_label=False,
            ori_shape=(H, W),
            img=image(),
        ),
    )
    np.testing.assert_array_equal(results['gt_seg_map'], pseudo_label())
    assert results['gt_seg_map'].dtype == np.uint8 and results['seg_fields'] == ['gt_seg_map']


@pytest.mark.parametrize('size', [(H, W), (6, 10), (7, 13), (30, 45)])
def test_resizing_is_pillows_nearest(tmp_path, size):
    path = write(tmp_path / 'label.png', pseudo_label())
    results = load(path, dict(img=image(0, *size), ori_shape=(99, 99)), resize=True)
    wanted = np.array(Image.fromarray(pseudo_label()).resize(size[::-1], Image.Resampling.NEAREST))
    np.testing.assert_array_equal(results['gt_seg_map'], wanted)


def test_palette_files_hold_ids_too(tmp_path):
    path = write_palette(tmp_path / 'label.png', pseudo_label())
    np.testing.assert_array_equal(load(path)['gt_seg_map'], pseudo_label())


def test_another_size_is_an_error(tmp_path):
    path = write(tmp_path / 'label.png', pseudo_label())
    with pytest.raises(ValueError, match=r'label.png is 20x12 .* its image street.png is 40x24: .* with resize=True'):
        load(path, dict(ori_shape=(24, 40)))
    with pytest.raises(ValueError, match='its image street.png is 10x6 and 20x12: put LoadPseudoLabel before'):
        load(path, dict(ori_shape=(H, W), img=image(0, 6, 10)))


def test_resizing_wants_the_image_first_and_unmirrored(tmp_path):
    path = write(tmp_path / 'label.png', pseudo_label())
    with pytest.raises(ValueError, match='after the steps that load and resize the image'):
        load(path, resize=True)
    with pytest.raises(ValueError, match='before RandomFlip'):
        load(path, dict(img=image(), flip=True), resize=True)


def test_ids_that_are_no_class_are_an_error(tmp_path):
    ids = pseudo_label()
    ids[5, 5:9] = 16, 17, 18, 33
    path = write(tmp_path / 'label.png', ids)
    with pytest.raises(ValueError, match=r'label.png holds the ids 16-18, 33, but .* 0-15 and 255 .* labels again'):
        load(path)
    assert load(path, dict(num_classes=34))['gt_seg_map'].max() == 255
    assert load(path, dict(num_classes=None), num_classes=34)['gt_seg_map'][5, 8] == 33
    with pytest.raises(ValueError, match='number of classes is not in the sample'):
        load(path, dict(num_classes=None))


def test_files_that_are_no_pseudo_label_are_told(tmp_path):
    with pytest.raises(ValueError, match='rgb.png has 3 channels'):
        load(write(tmp_path / 'rgb.png', image()))
    with pytest.raises(ValueError, match='has 3 channels'):
        load(write_synthia(tmp_path / 'synthia.png', pseudo_label()))
    Image.fromarray(pseudo_label().astype(np.uint16)).save(tmp_path / 'deep.png')
    with pytest.raises(ValueError, match='deep.png is a 16-bit file, but pseudo labels are 8-bit'):
        load(tmp_path / 'deep.png')
    with pytest.raises(FileNotFoundError, match='missing.png does not exist'):
        load(tmp_path / 'missing.png')
    whole = write(tmp_path / 'cut.png', pseudo_label()).read_bytes()
    (tmp_path / 'cut.png').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match='cut.png cannot be decoded'):
        load(tmp_path / 'cut.png')
    with pytest.raises(ValueError, match='no pseudo label belongs to street.png'):
        load(None, dict(seg_map_path=None))
