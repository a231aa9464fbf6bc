"""Sizes of image files, from their headers."""

import pytest
from layouts import H, W, image, write
from PIL import Image

from mmuda.datasets.image_files import image_size
from mmuda.datasets.transforms import LoadDomainImage


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp'])
def test_size_from_the_header(tmp_path, suffix):
    assert image_size(str(write(tmp_path / f'a{suffix}', image()))) == (W, H)


@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_size_is_that_of_the_turned_image(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = str(tmp_path / 'a.jpg')
    Image.fromarray(image()).save(path, exif=exif)
    height, width = LoadDomainImage()(dict(img_path=path))['ori_shape']
    assert image_size(path) == (width, height)
