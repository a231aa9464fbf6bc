"""Pixels of images in every format."""

import io
import struct

import cv2
import numpy as np
import pytest
from layouts import H, W, encoded, image, npy, npz, saved
from PIL import Image, ImageOps

from mmuda.datasets.image_files import image_size
from mmuda.datasets.image_pixels import picture_of
from mmuda.datasets.transforms import LoadDomainImage

GREY16 = np.random.default_rng(0).integers(0, 4096, (H, W)).astype(np.uint16)
BANDS = np.random.default_rng(1).integers(0, 4096, (H, W, 5)).astype(np.uint16)


def load(path, data: bytes, **options) -> np.ndarray:
    path.write_bytes(data)
    results = LoadDomainImage(**options)(dict(img_path=str(path)))
    assert results['ori_shape'] == results['img'].shape[:2]
    return results['img']


def multiband(values: np.ndarray) -> bytes:
    """Return a minimal TIFF with many bands of 16 bits, neither grey nor colour, as GDAL writes them."""
    height, width, bands = values.shape
    raw = values.astype('<u2').tobytes()
    end = 8 + len(raw)
    entries = [
        *((256, 3, 1, width), (257, 3, 1, height), (258, 3, bands, end), (259, 3, 1, 1), (262, 3, 1, 1)),
        *((273, 4, 1, 8), (277, 3, 1, bands), (278, 3, 1, height), (279, 4, 1, len(raw)), (284, 3, 1, 1)),
        (338, 3, bands - 1, end + 2 * bands),
    ]
    directory = struct.pack('<H', len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack('<HHI', tag, kind, count) + struct.pack('<I', value)
    extra = struct.pack(f'<{bands}H', *[16] * bands) + struct.pack(f'<{bands - 1}H', *[0] * (bands - 1))
    return b'II*\0' + struct.pack('<I', end + len(extra)) + raw + extra + directory + b'\0\0\0\0'


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_values_of_16_bits_stay(tmp_path, suffix):
    grey = load(tmp_path / f'a{suffix}', encoded(GREY16, suffix))
    assert grey.dtype == np.float32
    np.testing.assert_array_equal(grey, np.dstack([GREY16] * 3))
    colour = load(tmp_path / f'b{suffix}', encoded(BANDS[..., :3], suffix))
    np.testing.assert_array_equal(colour, BANDS[..., :3])  # both arrays have the channel order of OpenCV
    scaled = load(tmp_path / f'a{suffix}', encoded(GREY16, suffix), value_range=(0, 2000))
    np.testing.assert_allclose(scaled[..., 0], np.minimum(GREY16, 2000) / 2000 * 255, rtol=1e-5)


@pytest.mark.parametrize('name', ['a.tif', 'a.npy', 'chw.npy', 'a.npz/x'])
def test_bands(tmp_path, name):
    pytest.importorskip('tifffile')
    data = dict(tif=multiband(BANDS), npy=npy(BANDS if name[0] == 'a' else BANDS.transpose(2, 0, 1)))
    data = data.get(name[-3:]) or npz(x=BANDS, y=BANDS[..., 0])
    file, path = tmp_path / name.split('/')[0], str(tmp_path / name)
    file.write_bytes(data)
    if name.endswith('x'):
        assert LoadDomainImage(bands=(0,))(dict(img_path=path))['img'].shape == (H, W, 1)
    assert image_size(path) == (W, H)

    def read(**options):
        return LoadDomainImage(**options)(dict(img_path=path))['img']

    np.testing.assert_array_equal(read(bands=(0, 1, 2)), BANDS[..., [2, 1, 0]])
    np.testing.assert_array_equal(read(bands=(4, 1)), BANDS[..., [4, 1]])
    np.testing.assert_array_equal(read(color_type='unchanged'), BANDS[..., [2, 1, 0, 3, 4]])
    with pytest.raises(ValueError, match=r'has 5 bands: choose some, .*bands=\(0, 1, 2\)'):
        read()
    with pytest.raises(ValueError, match=r'has 5 band\(s\), but bands=\(7,\)'):
        read(bands=(7,))


def test_alpha_is_a_band_only_if_it_is_asked_for(tmp_path):
    rgba = np.dstack([image(), image(5)[..., 0]])
    data = saved(Image.fromarray(rgba), 'PNG')
    np.testing.assert_array_equal(load(tmp_path / 'a.png', data), rgba[..., [2, 1, 0]])
    np.testing.assert_array_equal(load(tmp_path / 'a.png', data, bands=(3,))[..., 0], rgba[..., 3])


def test_nan_is_no_value(tmp_path):
    values = np.where(GREY16 < 100, np.nan, GREY16).astype(np.float32)
    with pytest.raises(ValueError, match=r'a\.npy has \d+ of 240 values that are NaN'):
        load(tmp_path / 'a.npy', npy(values))
    np.testing.assert_array_equal(load(tmp_path / 'a.npy', npy(values), nan=-1)[..., 0], np.nan_to_num(values, nan=-1))


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_images_of_every_format_are_turned(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(cv2.resize(image(), (60, 36), interpolation=cv2.INTER_CUBIC))
    data = saved(stored, kind, exif=exif, **(dict(lossless=True) if kind == 'WEBP' else {}))
    seen = load(tmp_path / 'a.x', data)
    with Image.open(io.BytesIO(data)) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened).convert('RGB'))[..., ::-1]
    assert image_size(str(tmp_path / 'a.x')) == seen.shape[1::-1]
    assert seen.shape == expected.shape and np.abs(seen.astype(int) - expected).mean() < 1
    if kind != 'TIFF':
        assert load(tmp_path / 'a.x', data, color_type='color_ignore_orientation').shape[:2] == (36, 60)
    bands = load(tmp_path / 'a.x', data, bands=(0, 1, 2))
    np.testing.assert_array_equal(bands, seen)


def test_cmyk(tmp_path):
    pixels = np.repeat(np.repeat(image(0, 4, 4), 8, 0), 8, 1)
    data = saved(Image.fromarray(pixels).convert('CMYK'), 'JPEG', quality=98)
    assert np.abs(load(tmp_path / 'a.jpg', data).astype(int) - pixels[..., ::-1]).mean() < 3


def test_scaled_values_become_bytes_if_wanted(tmp_path):
    data = encoded(GREY16, '.tif')
    scaled = load(tmp_path / 'a.tif', data, value_range=(0, 2000))
    as_bytes = load(tmp_path / 'a.tif', data, value_range=(0, 2000), to_uint8=True)
    assert as_bytes.dtype == np.uint8 and np.array_equal(as_bytes, np.rint(scaled))
    with pytest.raises(ValueError, match='to_uint8=True needs value_range'):
        LoadDomainImage(to_uint8=True)


@pytest.mark.parametrize('options', [dict(bands=()), dict(bands=(-1,)), dict(value_range=(5, 5))])
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match='expected'):
        LoadDomainImage(**options)


def test_pictures_for_people():
    np.testing.assert_array_equal(picture_of(saved(Image.fromarray(image()), 'PNG'), 'a.png'), image())
    for data, name in ((npy(BANDS), 'a.npy'), (encoded(GREY16, '.tif'), 'a.tif'), (npy(BANDS[..., :2]), 'b.npy')):
        picture = picture_of(data, name)
        assert picture.shape == (H, W, 3) and picture.dtype == np.uint8 and picture.min() == 0 and picture.max() == 255
