"""Windows of image files equal the same part of the whole image."""

import numpy as np
import pytest

from mmuda.datasets.image_windows import Window, open_windows
from mmuda.datasets.transforms import LoadDomainImage

tifffile = pytest.importorskip('tifffile')
H, W = 45, 70
WINDOWS = (Window(0, H, 0, W), Window(3, 20, 5, 69), Window(16, 17, 0, W), Window(40, 60, 60, 90))
KINDS = {
    'grey': ((H, W), dict(photometric='minisblack')),
    'colour': ((H, W, 3), dict(photometric='rgb')),
    'alpha': ((H, W, 4), dict(photometric='rgb', extrasamples=['unassalpha'])),
    'multiplied': ((H, W, 4), dict(photometric='rgb', extrasamples=['assocalpha'])),
    'five bands': ((H, W, 5), dict(photometric='minisblack', planarconfig='contig')),
    'five planes': ((5, H, W), dict(photometric='minisblack', planarconfig='separate')),
    'three planes': ((3, H, W), dict(photometric='rgb', planarconfig='separate')),
}
LAYOUTS = (
    {},
    dict(rowsperstrip=7),
    dict(tile=(32, 16)),
    dict(rowsperstrip=5, compression='zlib'),
    dict(tile=(32, 16), compression='zlib'),
)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int16, np.float32], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize('kind', KINDS)
def test_windows_of_tiff_files(tmp_path, kind, dtype):
    shape, options = KINDS[kind]
    values = (np.random.default_rng(0).random(shape) * 250).astype(dtype)
    path = str(tmp_path / 'x.tif')
    load = LoadDomainImage(color_type='color' if 3 in shape else 'unchanged')
    for layout in LAYOUTS:
        tifffile.imwrite(path, values, **options, **layout, byteorder='>' if 'tile' in layout else '<')
        reader, whole = load.open(path), load.read(path)
        assert reader.size == (H, W)
        for window in WINDOWS:
            part = load.read_window(reader, window, path)
            assert part.dtype == whole.dtype and np.array_equal(part, window.of(whole))
    if kind != 'alpha' and 3 not in shape:  # OpenCV multiplies 8-bit colours by alpha
        stored = values if kind != 'five planes' else np.moveaxis(values, 0, -1)
        assert np.array_equal(reader.read(WINDOWS[0]), stored.reshape(H, W, -1))


@pytest.mark.parametrize('shape', [(H, W), (H, W, 3), (4, H, W)])
def test_windows_of_arrays(tmp_path, shape):
    path = str(tmp_path / 'x.npy')
    np.save(path, np.random.default_rng(0).integers(0, 4000, shape, dtype=np.uint16))
    load = LoadDomainImage(color_type='unchanged', value_range=(0, 4095))
    reader, whole = load.open(path), load.read(path)
    assert reader.size == (H, W)
    for window in WINDOWS:
        assert np.array_equal(load.read_window(reader, window, path), window.of(whole))


@pytest.mark.parametrize('compression', ['lzw', 'jpeg'])
def test_compressions_of_another_package(tmp_path, compression):
    pytest.importorskip('imagecodecs')
    path = str(tmp_path / 'x.tif')
    image = np.repeat(np.arange(H, dtype=np.uint8)[:, None, None], W, 1).repeat(3, 2)
    tifffile.imwrite(path, image, photometric='rgb', tile=(16, 16), compression=compression)
    load = LoadDomainImage()
    whole = load.read(path)
    for window in WINDOWS:
        assert np.array_equal(load.read_window(load.open(path), window, path), window.of(whole))


def test_only_the_tiles_of_a_window_are_decoded(tmp_path):
    path = tmp_path / 'x.tif'
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    tifffile.imwrite(path, image, photometric='rgb', tile=(32, 32), compression='zlib')
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].dataoffsets[5]  # the last tile
    content = bytearray(path.read_bytes())
    content[place : place + 20] = bytes(20)
    path.write_bytes(content)
    reader = open_windows(str(path))
    assert np.array_equal(reader.read(Window(0, 64, 0, 64)), image[:, :64])
    with pytest.raises(OSError, match='x.tif: strip or tile 5 cannot be decoded'):
        reader.read(Window(40, 60, 60, 80))


def test_tiles_that_were_never_written_are_empty(tmp_path):
    path = str(tmp_path / 'x.tif')
    image = np.full((32, 64), 7, np.uint8)
    tiles = [image[:, :32], None]
    tifffile.imwrite(path, iter(tiles), shape=image.shape, dtype=np.uint8, tile=(32, 32), compression='zlib')
    found = open_windows(path).read(Window(0, 32, 0, 64))[..., 0]
    assert (found[:, :32] == 7).all() and (found[:, 32:] == 0).all()


def test_others_are_read_as_a_whole(tmp_path):
    values = np.zeros((16, 16), np.uint8)
    tifffile.imwrite(tmp_path / 'bits.tif', values.astype(bool))
    tifffile.imwrite(tmp_path / 'turned.tif', values, extratags=[(274, 'H', 1, 6)])
    tifffile.imwrite(tmp_path / 'pages.tif', np.zeros((2, 16, 16), np.uint8), photometric='minisblack')
    palette = np.zeros((3, 256), np.uint16)
    tifffile.imwrite(tmp_path / 'palette.tif', values, photometric='palette', colormap=palette)
    (tmp_path / 'no.tif').write_bytes(b'another format')
    names = ('bits.tif', 'turned.tif', 'pages.tif', 'palette.tif', 'no.tif', 'x.png')
    assert [open_windows(str(tmp_path / name)) for name in names] == [None] * 6
    assert open_windows(str(tmp_path / 'palette.tif'), indices=True) is not None
    assert open_windows(f'zip://{tmp_path}/palette.tif', indices=True) is None
    assert LoadDomainImage(color_type='grayscale').open(str(tmp_path / 'palette.tif')) is None


def test_damaged_files(tmp_path):
    path = tmp_path / 'x.tif'
    tifffile.imwrite(path, np.ones((64, 64, 3), np.uint8), photometric='rgb')
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(OSError, match='x.tif is truncated'):
        open_windows(str(path)).read(Window(0, 64, 0, 64))
    (tmp_path / 'y.tif').write_bytes(b'II*\0nothing at all')
    with pytest.raises(OSError, match='y.tif cannot be read as TIFF'):
        open_windows(str(tmp_path / 'y.tif'))
    (tmp_path / 'z.npy').write_bytes(b'nothing')
    with pytest.raises(OSError, match='z.npy cannot be decoded'):
        open_windows(str(tmp_path / 'z.npy'))
    for name in ('none.tif', 'none.npy'):
        with pytest.raises(FileNotFoundError, match=name):
            open_windows(str(tmp_path / name))
