"""Reading of single files: every encoding and every kind of fault."""

import cv2
import layouts
import numpy as np
import pytest
from layouts import H, W, ids, image, train_ids, write, write_palette, write_synthia
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets import CityscapesDataset
from mmseg.registry import TRANSFORMS
from PIL import Image

import mmuda.datasets.transforms  # noqa: F401
from mmuda.datasets.classes import SYNTHIA16
from mmuda.datasets.label_tables import get_label_table, lookup_array
from mmuda.datasets.transforms import LoadDomainAnnotations, LoadDomainImage


def load(path, table='cityscapes', **kwargs):
    results = LoadDomainAnnotations(table=table, **kwargs)(dict(seg_map_path=str(path), img_path='an_image.png'))
    assert results['seg_fields'] == ['gt_seg_map']
    assert results['gt_seg_map'].dtype == np.uint8
    return results['gt_seg_map']


def mapped(raw, table='cityscapes', **kwargs):
    return lookup_array(get_label_table(table), **kwargs)[raw]


def test_registered():
    assert TRANSFORMS.get('LoadDomainImage') is LoadDomainImage
    assert TRANSFORMS.get('LoadDomainAnnotations') is LoadDomainAnnotations


def test_grey_8_bit(tmp_path):
    raw = ids([*range(35), 255])
    np.testing.assert_array_equal(load(write(tmp_path / 'a.png', raw)), mapped(raw))


def test_palette_indices_not_colours(tmp_path):
    raw = ids([*range(35), 255])
    np.testing.assert_array_equal(load(write_palette(tmp_path / 'a.png', raw), 'gta5'), mapped(raw))


@pytest.mark.parametrize('bits', [1, 2, 4])
def test_palette_with_few_bits(tmp_path, bits):
    raw = ids(range(2**bits))
    path = tmp_path / 'a.png'
    coded = Image.frombytes('P', (W, H), raw.astype(np.uint8).tobytes())
    coded.putpalette([(9 * i) % 256 for i in range(768)])
    coded.save(path, bits=bits)
    assert path.read_bytes()[24:26] == bytes([bits, 3])
    np.testing.assert_array_equal(load(path), mapped(raw))


def test_grey_16_bit_keeps_the_high_byte(tmp_path):
    raw = ids([7, 300, 65535]).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / 'a.png'), raw)
    label = load(tmp_path / 'a.png', {7: 0, 300: 1, 65535: 2})
    np.testing.assert_array_equal(label, np.select([raw == 7, raw == 300], [0, 1], 2))


def test_synthia_reads_red_of_16_bit(tmp_path):
    raw = ids(range(23))
    np.testing.assert_array_equal(
        load(write_synthia(tmp_path / 'a.png', raw), 'synthia', channel=0), mapped(raw, 'synthia')
    )


@pytest.mark.parametrize('channel', range(4))
def test_channels_are_counted_in_rgb_order(tmp_path, channel):
    raw = np.stack([ids(range(35), seed) for seed in range(4)], axis=-1)
    if channel < 3:
        np.testing.assert_array_equal(
            load(write(tmp_path / 'rgb.png', raw[..., :3]), channel=channel), mapped(raw[..., channel])
        )
    np.testing.assert_array_equal(load(write(tmp_path / 'rgba.png', raw), channel=channel), mapped(raw[..., channel]))


def test_channel_0_of_one_channel(tmp_path):
    path = write(tmp_path / 'a.png', ids(range(23)))
    np.testing.assert_array_equal(load(path, 'synthia', channel=0), mapped(ids(range(23)), 'synthia'))
    with pytest.raises(ValueError, match=r'a\.png has 1 channel.*label_channel is 1'):
        load(path, 'synthia', channel=1)


def test_channels_without_a_choice(tmp_path):
    with pytest.raises(ValueError, match=r'colours\.png has 3 channels'):
        load(write(tmp_path / 'colours.png', image()))


@pytest.mark.parametrize('encode, channel', [(write, None), (write_palette, None), (write_synthia, 0)])
def test_unknown_ids(tmp_path, encode, channel):
    raw = ids([7, 8, 35, 36, 37, 90])
    path = encode(tmp_path / 'odd.png', raw)
    with pytest.raises(ValueError, match=r"odd\.png.* 35-37, 90,.*'cityscapes'.*0-34, 255.*unknown=255"):
        load(path, channel=channel)
    label = load(path, unknown=255, channel=channel)
    np.testing.assert_array_equal(label, np.select([raw == 7, raw == 8], [0, 1], 255))


def test_unknown_ids_beyond_8_bit(tmp_path):
    assert cv2.imwrite(str(tmp_path / 'instances.png'), np.full((H, W), 26003, np.uint16))
    with pytest.raises(ValueError, match=r'instances\.png.*26003'):
        load(tmp_path / 'instances.png')


def test_label_map_is_part_of_the_lookup(tmp_path):
    raw = ids(range(35))
    results = dict(seg_map_path=str(write(tmp_path / 'a.png', raw)), label_map={n: 255 if n else 3 for n in range(19)})
    label = LoadDomainAnnotations(table='cityscapes')(results)['gt_seg_map']
    np.testing.assert_array_equal(label, np.where(raw == 7, 3, 255))


def test_table_of_the_transform_wins(tmp_path):
    results = dict(seg_map_path=str(write(tmp_path / 'a.png', np.ones((H, W)))), label_table='synthia')
    assert (LoadDomainAnnotations()(dict(results))['gt_seg_map'] == 10).all()
    assert (LoadDomainAnnotations(table={1: 5})(dict(results))['gt_seg_map'] == 5).all()


def test_errors_of_use(tmp_path):
    path = str(write(tmp_path / 'a.png', ids(range(3))))
    with pytest.raises(ValueError, match=r'a\.png.*name a table'):
        LoadDomainAnnotations()(dict(seg_map_path=path))
    with pytest.raises(ValueError, match='reduce_zero_label'):
        LoadDomainAnnotations(table='cityscapes')(dict(seg_map_path=path, reduce_zero_label=True))
    with pytest.raises(ValueError, match=r'no label file belongs to b\.png'):
        LoadDomainAnnotations(table='cityscapes')(dict(img_path='b.png'))
    with pytest.raises(ValueError, match='unknown'):
        LoadDomainAnnotations(unknown=254)
    with pytest.raises(KeyError, match='gta6'):
        LoadDomainAnnotations(table='gta6')


def test_formats_that_cannot_hold_ids(tmp_path):
    with pytest.raises(ValueError, match=r'a\.jpg is a JPEG'):
        load(write(tmp_path / 'a.jpg', ids(range(19))))
    assert cv2.imwrite(str(tmp_path / 'float.tiff'), np.full((H, W), 0.5, np.float32))
    with pytest.raises(ValueError, match=r'float\.tiff holds float32 values such as 0\.5'):
        load(tmp_path / 'float.tiff')


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp'])
def test_image_is_mmcvs(tmp_path, suffix):
    path = str(write(tmp_path / f'a{suffix}', image()))
    ours, theirs = LoadDomainImage()(dict(img_path=path)), LoadImageFromFile()(dict(img_path=path))
    assert ours.keys() == theirs.keys()
    np.testing.assert_array_equal(ours['img'], theirs['img'])
    assert ours['img_shape'] == ours['ori_shape'] == theirs['ori_shape'] == (H, W)
    assert LoadDomainImage(to_float32=True)(dict(img_path=path))['img'].dtype == np.float32


def damage(path, how):
    data = path.read_bytes()
    if how == 'truncated':
        path.write_bytes(data[: len(data) * 2 // 3])
    elif how == 'without end':
        path.write_bytes(data[:-3])
    elif how == 'damaged':
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes(byte ^ 255 for byte in data[middle : middle + 9]) + data[middle + 9 :])
    elif how == 'text':
        path.write_text('version https://git-lfs.github.com/spec/v1\n')
    elif how == 'empty':
        path.write_bytes(b'')


@pytest.mark.parametrize('reader', ['image', 'label', 'palette'])
@pytest.mark.parametrize('how', ['truncated', 'damaged', 'text', 'empty'])
def test_damaged_png(tmp_path, reader, how, capfd):
    writers = dict(
        image=lambda path: write(path, image(0, 60, 80)),
        label=lambda path: write(path, ids(range(34), 0, 60, 80)),
        palette=lambda path: write_palette(path, ids(range(34), 0, 60, 80)),
    )
    path = writers[reader](tmp_path / 'broken.png')
    damage(path, how)
    with pytest.raises(OSError, match=r'broken\.png cannot be decoded'):
        LoadDomainImage()(dict(img_path=str(path))) if reader == 'image' else load(path)


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('how', ['truncated', 'text', 'empty'])
def test_damaged_jpeg(tmp_path, how, backend, capfd):
    path = write(tmp_path / 'broken.jpg', image(0, 60, 80))
    damage(path, how)
    with pytest.raises(OSError, match=r'broken\.jpg cannot be decoded'):
        LoadDomainImage(imdecode_backend=backend)(dict(img_path=str(path)))


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_bytes_after_the_end_are_no_damage(tmp_path, suffix):
    path = write(tmp_path / f'a{suffix}', image())
    before = LoadDomainImage()(dict(img_path=str(path)))['img']
    path.write_bytes(path.read_bytes() + b'added by a camera')
    np.testing.assert_array_equal(LoadDomainImage()(dict(img_path=str(path)))['img'], before)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.png does not exist.*data_root'):
        LoadDomainImage()(dict(img_path=str(tmp_path / 'gone.png')))
    with pytest.raises(FileNotFoundError, match=r'gone\.png does not exist'):
        load(tmp_path / 'gone.png')
    with pytest.raises(OSError, match='cannot be read'):
        load(tmp_path)


def test_sizes_that_differ(tmp_path):
    write(tmp_path / 'image.png', image())
    write(tmp_path / 'label.png', ids(range(34), 0, H + 1, W))
    results = LoadDomainImage()(dict(img_path=str(tmp_path / 'image.png'), seg_map_path=str(tmp_path / 'label.png')))
    with pytest.raises(ValueError, match=r'image\.png is 20x12.*label\.png is 20x13.*mismatched'):
        LoadDomainAnnotations(table='cityscapes')(results)


def test_labels_are_loaded_after_the_image_was_resized(tmp_path):
    """Labels can be loaded after the image was resized, as in the test pipelines of mmseg."""
    write(tmp_path / 'image.png', image())
    write(tmp_path / 'label.png', ids(range(34)))
    results = dict(img_path=str(tmp_path / 'image.png'), seg_map_path=str(tmp_path / 'label.png'))
    for step in (
        LoadDomainImage(),
        TRANSFORMS.build(dict(type='Resize', scale=(10, 6))),
        LoadDomainAnnotations(table='cityscapes'),
    ):
        results = step(results)
    assert results['img'].shape == (6, 10, 3) and results['gt_seg_map'].shape == (H, W)


@pytest.mark.parametrize('classes', [None, SYNTHIA16], ids=['19', '16'])
def test_mmsegs_cityscapes_with_raw_labels(tmp_path, classes):
    load = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations', table='cityscapes')]
    dataset = CityscapesDataset(
        data_root=str(layouts.cityscapes(tmp_path)),
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        seg_map_suffix='_gtFine_labelIds.png',
        metainfo=classes and dict(classes=classes),
        pipeline=load,
    )
    assert len(dataset) == 2
    raw = layouts.ids((*range(34), 255), 1)
    np.testing.assert_array_equal(dataset[1]['gt_seg_map'], train_ids(raw, 'cityscapes', classes))
