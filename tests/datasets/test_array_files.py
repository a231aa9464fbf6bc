"""Images in array files: sizes from headers, slices of volumes."""

import gzip
import struct
import zipfile

import numpy as np
import pytest
from layouts import npy, npz
from mmseg.registry import DATASETS

from mmuda.datasets.array_files import decode_array, slices_of, split_member
from mmuda.datasets.image_files import file_of, image_size, read_image_bytes
from mmuda.datasets.transforms import LoadDomainAnnotations, LoadDomainImage

VOLUME = np.random.default_rng(0).integers(0, 3, (7, 5, 4), dtype=np.uint8)


def nifti(volume: np.ndarray, slope: float = float('nan')) -> bytes:
    """Return a NIfTI-1 file with values of one byte. By default, slope and intercept are NaN, as in many real files."""
    header = bytearray(352)
    struct.pack_into('<i', header, 0, 348)
    struct.pack_into('<8h', header, 40, volume.ndim, *volume.shape, *[1] * (7 - volume.ndim))
    struct.pack_into('<2h', header, 70, 2, 8)  # uint8
    struct.pack_into('<8f', header, 76, *[1] * 8)
    struct.pack_into('<3f', header, 108, 352, slope, slope)
    header[344:348] = b'n+1\0'
    return bytes(header) + volume.tobytes(order='F')


def test_names_of_members():
    assert split_member('a/scan.npz/label') == ('a/scan.npz', 'label')
    assert split_member('a/v.NII.gz/012') == ('a/v.NII.gz', '012')
    assert split_member('a/scan.npz') == ('a/scan.npz', None)
    assert file_of('a.nii/b/c.png') == 'a.nii/b/c.png'


def test_slices_of_a_volume(tmp_path):
    path = tmp_path / 'v.nii.gz'
    path.write_bytes(gzip.compress(nifti(VOLUME)))
    slices = slices_of(str(path))
    assert slices == [f'{path}/{n:03d}' for n in range(4)]
    assert image_size(slices[0]) == (7, 5)
    with pytest.raises(ValueError, match='max_pixels=30'):
        read_image_bytes(slices[0], max_pixels=30)
    pytest.importorskip('nibabel')
    for number, name in enumerate(slices):
        image = LoadDomainImage()(dict(img_path=name))['img']
        np.testing.assert_array_equal(image[..., 0], VOLUME[:, :, number].T)
        label = LoadDomainAnnotations(table={0: 0, 1: 1, 2: 2})(dict(seg_map_path=name))['gt_seg_map']
        np.testing.assert_array_equal(label, VOLUME[:, :, number].T)
    with pytest.raises(ValueError, match="no slice '9'"):
        LoadDomainImage()(dict(img_path=f'{path}/9'))
    (tmp_path / 'flat.nii').write_bytes(nifti(VOLUME[:, :, :1]))
    assert slices_of(str(tmp_path / 'flat.nii')) == [str(tmp_path / 'flat.nii')]


def test_slices_of_a_volume_in_a_zip_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / 'scans.zip', 'w') as archive:
        for kind in ('images', 'labels'):
            archive.writestr(f'{kind}/v.nii.gz', gzip.compress(nifti(VOLUME)))
    dataset = DATASETS.build(dict(type='RawSegDataset', data_root=f'zip://{tmp_path}', label_classes=('a', 'b', 'c')))
    expected = [f'zip://{tmp_path}/{kind}/v.nii.gz/003' for kind in ('images', 'labels')]
    assert len(dataset) == 4
    assert [dataset.get_data_info(3)[key] for key in ('img_path', 'seg_map_path')] == expected


@pytest.mark.parametrize('content', [b'', b'\x1f\x8bbroken', nifti(VOLUME)[:300], nifti(VOLUME[None])])
def test_what_is_no_volume(tmp_path, content):
    path = tmp_path / 'v.nii'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'v\.nii'):
        slices_of(str(path))


def test_sizes_from_headers(tmp_path):
    for name, data in {'a.npy': npy(np.zeros((3, 6, 9))), 'b.npz': npz(x=np.zeros((6, 9)))}.items():
        (tmp_path / name).write_bytes(data)
        assert image_size(str(tmp_path / name)) == (9, 6)
    (tmp_path / 'two.npz').write_bytes(npz(x=np.zeros((6, 9)), y=np.zeros((2, 2))))
    assert image_size(str(tmp_path / 'two.npz' / 'y')) == (2, 2)
    with pytest.raises(ValueError, match='has 2 arrays'):
        image_size(str(tmp_path / 'two.npz'))
    with pytest.raises(ValueError, match='max_pixels=50'):
        read_image_bytes(str(tmp_path / 'two.npz' / 'x'), max_pixels=50)
    (tmp_path / 'a.npy').write_bytes(b'no array')
    with pytest.raises(ValueError, match=r'a\.npy is damaged, or not an array'):
        image_size(str(tmp_path / 'a.npy'))


def test_all_that_is_decoded_counts_as_pixels(tmp_path):
    """The pixel limit counts the whole volume of a slice, since all of it is unpacked; a colour pixel has 3 values."""
    many = tmp_path / 'many.npy'
    np.save(many, np.zeros((20, 20, 12), np.uint8))
    read_image_bytes(str(many), max_pixels=1600)
    with pytest.raises(ValueError, match='20x20x12 values, as many as 1,600 pixels, more than max_pixels=1,599'):
        read_image_bytes(str(many), max_pixels=1599)
    volume = bytearray(nifti(VOLUME))
    struct.pack_into('<8h', volume, 40, 3, 4000, 4000, 32000, 1, 1, 1, 1)
    (tmp_path / 'bomb.nii.gz').write_bytes(gzip.compress(volume))
    with pytest.raises(ValueError, match='4000x4000x32000 values'):
        read_image_bytes(str(tmp_path / 'bomb.nii.gz/000'))


def test_no_more_is_unpacked_than_the_header_says(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('x.npy', npy(VOLUME[..., 0]) + bytes(10**6))
    np.testing.assert_array_equal(decode_array((tmp_path / 'a.npz').read_bytes(), 'a.npz'), VOLUME[..., 0])
    pytest.importorskip('nibabel')
    packed = gzip.compress(nifti(VOLUME) + bytes(10**6))
    np.testing.assert_array_equal(decode_array(packed, 'v.nii.gz/002'), VOLUME[..., 2].T)
    damaged = bytearray(gzip.compress(nifti(VOLUME)))
    damaged[-8] ^= 1  # a byte of the checksum
    with pytest.raises(OSError, match=r'v.nii.gz/002|CRC'):
        decode_array(bytes(damaged), 'v.nii.gz/002')
