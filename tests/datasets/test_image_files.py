"""Sizes of image files, from their headers."""

import pytest
from layouts import H, W, image, write
from PIL import Image

from mmuda.datasets.image_files import image_size, is_whole_png
from mmuda.datasets.transforms import LoadDomainImage


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
