"""Ids and colours in label files, for each format. The files imitate those of public data sets."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from layouts import encoded, ids, npy, npz, saved
from PIL import Image

from mmuda.datasets.colours import colour_numbers
from mmuda.datasets.label_files import decode_label, map_ids
from mmuda.datasets.label_tables import get_label_table, lookup_array

RAW = ids(range(12), 3).astype(np.uint8)


def palette(values: np.ndarray) -> Image.Image:
    image = Image.frombytes('P', values.shape[::-1], values.tobytes())
    image.putpalette([(7 * i) % 256 for i in range(768)])
    return image


ONE_CHANNEL = {
    'grey.png': encoded(RAW, '.png'),
    'grey.tif': encoded(RAW, '.tif'),
    '16bit.tif': encoded(RAW.astype(np.uint16), '.tif'),
    'float.tif': encoded(RAW.astype(np.float32), '.tif'),
    'palette.png': saved(palette(RAW), 'PNG'),
    'palette.tif': saved(palette(RAW), 'TIFF', compression='tiff_lzw'),
    'palette.bmp': saved(palette(RAW), 'BMP'),
    'wide.tif': saved(Image.fromarray(RAW.astype(np.int32)), 'TIFF'),
    'equal.png': encoded(np.dstack([RAW] * 3), '.png'),
    'a.npy': npy(RAW.astype(np.int64)),
    'slice.npz': npz(x=np.dstack([RAW] * 3).astype(np.float32)),  # as in the data of SIFA
    'two.npz/y': npz(x=RAW * 0, y=RAW),
}


@pytest.mark.parametrize('name', ONE_CHANNEL)
def test_ids_are_unchanged(name):
    if name == 'wide.tif':
        pytest.importorskip('tifffile')
    np.testing.assert_array_equal(decode_label(ONE_CHANNEL[name], name), RAW)


@pytest.mark.parametrize('name', ['a.png', 'a.tif', 'a.bmp'])
def test_one_bit(name):
    bits = RAW > 5
    kind = dict(png='PNG', tif='TIFF', bmp='BMP')[name[2:]]
    label = decode_label(saved(Image.fromarray(bits), kind), name)
    np.testing.assert_array_equal(label, bits.astype(np.uint8))


@pytest.mark.parametrize('bits', [2, 4])
def test_grey_png_of_few_bits(bits):
    """Grey PNGs of 2 and 4 bits are read unscaled, though decoders scale to 255. Pillow cannot write such files."""
    values = RAW[:, :8] % 2**bits
    packed = np.zeros((values.shape[0], bits), np.uint8)
    for place in range(8):
        shift = 8 - bits - place * bits % 8
        packed[:, place * bits // 8] |= (values[:, place] << shift).astype(np.uint8)
    rows = b''.join(b'\0' + row.tobytes() for row in packed)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))

    header = struct.pack('>IIBBBBB', 8, values.shape[0], bits, 0, 0, 0, 0)
    data = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')
    np.testing.assert_array_equal(decode_label(data, 'a.png'), values)


def test_minus_one_is_255():
    values = RAW.astype(np.int32)
    values[0, 0] = -1
    assert decode_label(npy(values), 'a.npy')[0, 0] == 255


@pytest.mark.parametrize(
    'values, message',
    [
        (RAW.astype(np.int32) + 26001000, 'from 26001000 to 26001011.*ids of instances'),
        (RAW.astype(np.int32) - 2, 'from -2 to 9'),
        (RAW / 2, 'float64 values such as 0.5'),
        (np.where(RAW == 3, np.nan, RAW), 'such as nan'),
        (np.dstack([RAW, RAW + 1]), 'has 2 channels.*label_channel=0'),
        (RAW[None, None], 'shape'),
    ],
)
def test_values_that_are_no_ids(values, message):
    with pytest.raises(ValueError, match=rf'a\.npy.*{message}'):
        decode_label(npy(values), 'a.npy')


def test_an_archive_needs_a_name():
    with pytest.raises(ValueError, match=r'two\.npz has 2 arrays: name one of two\.npz/x, two\.npz/y'):
        decode_label(ONE_CHANNEL['two.npz/y'], 'two.npz')
    with pytest.raises(ValueError, match=r"two\.npz has no array 'z'"):
        decode_label(ONE_CHANNEL['two.npz/y'], 'two.npz/z')
    with pytest.raises(OSError, match=r'a\.npy cannot be decoded'):
        decode_label(npy(np.array([{}], object)), 'a.npy')


COLOURS = {(128, 64, 128): 0, (0, 0, 142): 1, '#dc143c': 2, '70, 130, 180': 255}
RGB = np.array([(128, 64, 128), (0, 0, 142), (220, 20, 60), (70, 130, 180)], np.uint8)[RAW % 4]


def coloured(pixels=RGB, table=COLOURS, **options):
    data = saved(Image.fromarray(pixels), 'PNG', **options)
    table = get_label_table(table)
    return map_ids(decode_label(data, 'a.png', colours=True), lookup_array(table), 'a.png', table)


def test_colours():
    expected = np.array([0, 1, 2, 255])[RAW % 4]
    np.testing.assert_array_equal(coloured(), expected)
    np.testing.assert_array_equal(coloured(np.dstack([RGB, RAW * 20])), expected)
    np.testing.assert_array_equal(coloured(table='cityscapes_palette'), np.array([0, 13, 11, 10])[RAW % 4])
    table = get_label_table(COLOURS)
    quantized = Image.fromarray(RGB).quantize(4)  # a palette file is read by its colours here
    data = saved(quantized, 'PNG')
    read = map_ids(decode_label(data, 'a.png', colours=True), lookup_array(table), 'a.png', table)
    np.testing.assert_array_equal(read, expected)


def test_unknown_colours_are_counted():
    pixels = RGB.copy()
    pixels[0, :3] = (1, 2, 3)
    pixels[1, 0] = (9, 9, 9)
    with pytest.raises(
        ValueError, match=r'a\.png: 4 of 240 pixels have 2 colours .*: \(1, 2, 3\) 3 times, \(9, 9, 9\)'
    ):
        coloured(pixels)
    smooth = cv2.resize(cv2.resize(RGB, None, fx=4, fy=4), RGB.shape[1::-1])
    with pytest.raises(ValueError, match='smooth edges'):
        coloured(smooth)
    with pytest.raises(ValueError, match='2 channel'):
        decode_label(npy(np.dstack([RAW, RAW])), 'a.npy', colours=True)
    table = get_label_table(COLOURS)
    lookup = lookup_array(table, unknown=255)
    assert map_ids(colour_numbers(pixels[..., ::-1]), lookup, 'a.png', table)[0, 0] == 255
