"""TIFF files that are read by rows."""

import numpy as np
import pytest

from mmuda.prediction.sources import open_tiff

tifffile = pytest.importorskip('tifffile')


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(rowsperstrip=7),
        dict(tile=(16, 32)),
        dict(rowsperstrip=5, compression='zlib'),
        dict(tile=(32, 16), compression='zlib'),
    ],
)
@pytest.mark.parametrize('channels', [None, 3, 4])
def test_rows_are_those_of_the_file(tmp_path, options, channels):
    shape = (45, 70) if channels is None else (45, 70, channels)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    photometric = 'minisblack' if channels is None else 'rgb'
    extra = dict(extrasamples=['unassalpha']) if channels == 4 else {}
    tifffile.imwrite(tmp_path / 'x.tif', image, photometric=photometric, **options, **extra)
    source = open_tiff(str(tmp_path / 'x.tif'))
    assert source.size == (45, 70)
    wanted = np.repeat(image[..., None], 3, axis=2) if channels is None else image[..., 2::-1]
    for start, stop in ((0, 45), (3, 20), (40, 45), (16, 17)):
        assert np.array_equal(source.rows(start, stop), wanted[start:stop])


def test_others_are_left_to_the_reader_of_images(tmp_path):
    tifffile.imwrite(tmp_path / 'deep.tif', np.zeros((8, 8), np.uint16))
    tifffile.imwrite(tmp_path / 'planes.tif', np.zeros((3, 8, 8), np.uint8), photometric='rgb', planarconfig='separate')
    (tmp_path / 'x.png').touch()
    assert [open_tiff(str(tmp_path / name)) for name in ('deep.tif', 'planes.tif', 'x.png')] == [None] * 3


def test_a_truncated_file_is_an_error(tmp_path):
    tifffile.imwrite(tmp_path / 'x.tif', np.ones((64, 64, 3), np.uint8), photometric='rgb')
    content = (tmp_path / 'x.tif').read_bytes()
    (tmp_path / 'x.tif').write_bytes(content[:-2000])
    with pytest.raises(OSError, match='x.tif'):
        open_tiff(str(tmp_path / 'x.tif')).rows(0, 64)
    (tmp_path / 'y.tif').write_bytes(b'nothing')
    with pytest.raises(OSError, match='y.tif cannot be read as TIFF'):
        open_tiff(str(tmp_path / 'y.tif'))
