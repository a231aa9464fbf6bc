"""Sizes of images from the headers of their files."""

import struct
from pathlib import Path

import numpy as np
import pytest
from layouts import H, W, image, write
from PIL import Image

from mmuda.datasets.image_files import check_pixels, image_size, is_whole_png, read_image_bytes
from mmuda.datasets.transforms import LoadDomainAnnotations, LoadDomainImage


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp'])
def test_size_from_the_header(tmp_path, suffix):
    assert image_size(str(write(tmp_path / f'a{suffix}', image()))) == (W, H)


def test_a_png_is_whole_if_it_has_its_end(tmp_path):
    path = write(tmp_path / 'a.png', image())
    assert is_whole_png(path)
    whole = path.read_bytes()
    for content in (b'', whole[:4], whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert not is_whole_png(path)
    assert not is_whole_png(tmp_path / 'b.png')
    assert not is_whole_png(write(tmp_path / 'a.jpg', image()))


@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_size_is_that_of_the_turned_image(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = str(tmp_path / 'a.jpg')
    Image.fromarray(image()).save(path, exif=exif)
    height, width = LoadDomainImage()(dict(img_path=path))['ori_shape']
    assert image_size(path) == (width, height)


def bomb(path: Path, mode: str, side: int) -> str:
    """Write a small image file whose header claims a square image of a given size."""
    Image.new(mode, (W, H)).save(path)
    data = bytearray(path.read_bytes())
    if path.suffix == '.png':
        data[16:24] = struct.pack('>II', side, side)
    elif path.suffix == '.bmp':
        data[18:26] = struct.pack('<ii', side, side)
    else:
        frame = data.index(b'\xff\xc0')  # length, precision, height, width
        data[frame + 5 : frame + 9] = struct.pack('>HH', side, side)
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize('name,mode', [('a.png', 'RGB'), ('a.png', 'P'), ('a.bmp', 'RGB'), ('a.jpg', 'RGB')])
def test_too_many_pixels_are_refused_by_the_header(tmp_path, name, mode):
    path = bomb(tmp_path / name, mode, 30000)
    assert image_size(path) == (30000, 30000), 'sizes beyond the limit of Pillow must be read'
    with pytest.raises(ValueError, match=rf'{name} has 30000x30000 = 900,000,000 pixels.*set max_pixels'):
        read_image_bytes(path)
    small = bomb(tmp_path / name, mode, 5000)
    with pytest.raises(ValueError, match='max_pixels=1,000'):
        read_image_bytes(small, max_pixels=1000)
    check_pixels(path, (30000, 30000), None)


def test_the_bound_of_pillow_stays_for_others(tmp_path):
    path = bomb(tmp_path / 'a.bmp', 'RGB', 30000)
    image_size(path)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)


def test_pages_of_a_tiff_file_count(tmp_path):
    path = str(tmp_path / 'a.tif')
    page = Image.new('L', (30, 20))
    page.save(path, save_all=True, append_images=[page] * 29)
    with pytest.raises(ValueError, match='a.tif has 30x20x30 values, as many as 6,000 pixels, more than max_pixels=5,'):
        read_image_bytes(path, max_pixels=5000)
    read_image_bytes(path, max_pixels=6000)
    bands = write(tmp_path / 'b.tif', image())
    read_image_bytes(str(bands), max_pixels=H * W)


def test_steps_have_the_bound_for_data_sets_without_one(tmp_path):
    path = str(write(tmp_path / 'a.png', image()))
    label = str(write(tmp_path / 'label.png', np.zeros((H, W), np.uint8)))
    with pytest.raises(ValueError, match='or, for a data set of mmseg, in the step of the pipeline'):
        LoadDomainImage(max_pixels=100)(dict(img_path=path))
    with pytest.raises(ValueError, match='label.png has'):
        LoadDomainAnnotations(table='train_ids', max_pixels=100)(dict(seg_map_path=label))
    of_data_set = dict(img_path=path, seg_map_path=label, max_pixels=H * W)
    LoadDomainAnnotations(table='train_ids', max_pixels=100)(LoadDomainImage(max_pixels=100)(of_data_set))
