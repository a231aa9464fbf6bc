"""Data sets, worker processes and mmengine's file functions read files in zip archives like files on a disk."""

import os
import random
import zipfile
from pathlib import Path

import layouts
import numpy as np
import pytest
import torch
from mmengine import fileio
from mmseg.registry import DATASETS
from PIL import Image
from torch.utils.data import DataLoader

from mmuda.datasets.class_presence import class_counts
from mmuda.datasets.image_files import image_size
from mmuda.labeling.manifest import label_names
from mmuda.zip_files import absolute, is_file, open_file, stamp

PIPELINE = [dict(type=name) for name in ('LoadDomainImage', 'LoadDomainAnnotations', 'PackSegInputs')]


def pack(archive: Path, root: Path, files: list[Path], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(archive, 'w', method) as target:
        target.writestr('README.txt', archive.name)
        for file in files:
            target.write(file, file.relative_to(root))


@pytest.fixture
def gta5(tmp_path) -> tuple[Path, Path]:
    """Write twelve pairs to the disk and to archives: two with images and two with labels (GTA5 has ten of each)."""
    root, archives = layouts.gta5(tmp_path / 'unpacked', 12), tmp_path / 'archives'
    archives.mkdir()
    for kind, method in (('images', zipfile.ZIP_STORED), ('labels', zipfile.ZIP_DEFLATED)):
        files = sorted((root / kind).iterdir())
        pack(archives / f'01_{kind}.zip', root, files[:7], method)
        pack(archives / f'02_{kind}.zip', root, files[7:], method)
    return root, archives


def build(root: str, **settings) -> torch.utils.data.Dataset:
    return DATASETS.build(dict(type='GTA5Dataset', data_root=root, pipeline=PIPELINE, **settings))


def images_of(dataset, workers: int) -> list[tuple]:
    loader = DataLoader(dataset, batch_size=1, num_workers=workers, collate_fn=lambda batch: batch[0])
    return [(item['inputs'], item['data_samples'].gt_sem_seg.data) for item in loader]


def same(first: list[tuple], second: list[tuple]) -> bool:
    pairs = zip(first, second, strict=True)
    return len(first) > 0 and all(torch.equal(one[place], other[place]) for one, other in pairs for place in (0, 1))


@pytest.mark.parametrize('workers', [0, 2])
def test_archives_are_read_as_what_was_packed(gta5, workers):
    """Data sets read the same from archives as from the disk, also in forked workers that inherit open archives."""
    root, archives = gta5
    packed, unpacked = build(f'zip://{archives}'), build(str(root))
    packed[11]
    assert packed.get_data_info(8)['img_path'] == f'zip://{archives}/images/00009.png'
    assert same(images_of(packed, workers), images_of(unpacked, 0))
    np.testing.assert_array_equal(class_counts(packed), class_counts(unpacked))


def test_mmsegs_own_reader_reads_cityscapes_archives(tmp_path):
    root, archives = layouts.cityscapes(tmp_path / 'unpacked'), tmp_path / 'archives'
    archives.mkdir()
    for name, folder in (('leftImg8bit_trainvaltest.zip', 'leftImg8bit'), ('gtFine_trainvaltest.zip', 'gtFine')):
        pack(archives / name, root, sorted((root / folder).rglob('*.png')))
    prefix = dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val')
    read = [dict(type='LoadImageFromFile'), dict(PIPELINE[1], table='cityscapes'), PIPELINE[2]]
    shared = dict(type='CityscapesDataset', data_prefix=prefix, seg_map_suffix='_gtFine_labelIds.png', pipeline=read)
    packed, unpacked = (DATASETS.build(dict(shared, data_root=where)) for where in (f'zip://{archives}', str(root)))
    assert same(images_of(packed, 0), images_of(unpacked, 0))


def test_pairs_that_differ_in_size_are_left_out_of_archives(gta5):
    root, archives = gta5
    layouts.write_palette(root / 'labels/00003.png', layouts.ids(range(35), 0, layouts.H, layouts.W + 2))
    pack(archives / '01_labels.zip', root, sorted((root / 'labels').iterdir())[:7])
    with pytest.raises(ValueError, match=f'(?s)1 of 12 .*sizes differ.*images/00003.png is {layouts.W}x{layouts.H}'):
        build(f'zip://{archives}')
    assert len(build(f'zip://{archives}', mismatched='skip')) == 11
    (archives / '02_labels.zip').unlink()
    with pytest.raises(ValueError, match='file missing: 5'):
        build(f'zip://{archives}')


def test_mmengines_functions(gta5, monkeypatch):
    root, archives = gta5
    where = f'zip://{archives}'
    assert sorted(fileio.list_dir_or_file(where, recursive=True, list_dir=False)) == sorted(
        ['README.txt', *(str(path.relative_to(root)) for path in root.rglob('*.png'))]
    )
    assert list(fileio.list_dir_or_file(where)) == ['README.txt', 'images', 'labels']
    assert list(fileio.list_dir_or_file(f'{where}/02_labels.zip/labels', suffix='9.png', list_dir=False)) == [
        '00009.png'
    ]
    with pytest.raises(TypeError, match='list_dir'):
        list(fileio.list_dir_or_file(where, suffix='.png'))
    with pytest.raises(FileNotFoundError, match='no such folder in the archives'):
        list(fileio.list_dir_or_file(f'{where}/depth'))
    with pytest.raises(FileNotFoundError, match='no zip archive there'):
        list(fileio.list_dir_or_file(f'zip://{root}'))
    assert [fileio.isdir(f'{where}/{name}') for name in ('', 'images', 'depth', 'README.txt')] == [1, 1, 0, 0]
    assert [fileio.exists(f'{where}/{name}') for name in ('images', 'README.txt', 'depth')] == [1, 1, 0]
    png = f'{where}/01_images.zip/images/00002.png'
    content = (root / 'images/00002.png').read_bytes()
    assert fileio.get(png) == fileio.get(f'{archives}/images/00002.png', dict(backend='zip')) == content
    with fileio.get_local_path(png) as path:
        assert Path(path).read_bytes() == content and path.endswith('.png')
    assert not os.path.exists(path)
    assert image_size(png) == (layouts.W, layouts.H)
    monkeypatch.chdir(archives)
    assert is_file('zip://images/00002.png') and not is_file('zip://images/2.png')
    assert absolute('zip://images/00002.png') == f'{where}/images/00002.png'
    assert stamp('zip://images/00002.png') != stamp('zip://images/00003.png')
    assert stamp('zip://images/2.png') == [f'{where}/images/2.png']
    assert label_names(['zip://images/00002.png', f'{where}/images/00003.png']) == [
        'labels/00002.png',
        'labels/00003.png',
    ]


def test_a_jpeg_whose_header_comes_late(tmp_path):
    """The size of a JPEG is found behind long headers, here a colour profile of 150 kB."""
    image = Image.fromarray(layouts.image(0))
    image.save(tmp_path / 'a.jpg', icc_profile=random.Random(0).randbytes(150_000))
    pack(tmp_path / 'a.zip', tmp_path, [tmp_path / 'a.jpg'])
    assert image_size(f'zip://{tmp_path}/a.zip/a.jpg') == (layouts.W, layouts.H)
    content = (tmp_path / 'a.jpg').read_bytes()
    with open_file(f'zip://{tmp_path}/a.zip/a.jpg') as packed, open_file(tmp_path / 'a.jpg') as file:
        assert packed.read(10) == file.read(10) == content[:10]
        assert packed.seek(-5, os.SEEK_END) == file.seek(-5, os.SEEK_END) == packed.tell()
        assert packed.read() == file.read() == content[-5:]
        assert packed.seek(0) == 0 and packed.read() == content


def change(archive: Path, old: bytes, new: bytes) -> None:
    """Replace the first occurrence of bytes in a file."""
    content = archive.read_bytes()
    assert old in content and len(old) == len(new)
    archive.write_bytes(content.replace(old, new, 1))


def test_damage_is_an_error_that_names_archive_and_file(tmp_path):
    (tmp_path / 'a.bin').write_bytes(b'0123456789' * 10)
    where = f'zip://{tmp_path}/a.zip'
    pack(tmp_path / 'a.zip', tmp_path, [tmp_path / 'a.bin'], zipfile.ZIP_STORED)
    change(tmp_path / 'a.zip', b'0123', b'0124')
    with pytest.raises(OSError, match=r'a.bin in .*a.zip is damaged, its checksum differs'):
        fileio.get(f'{where}/a.bin')

    pack(tmp_path / 'b.zip', tmp_path, [tmp_path / 'a.bin'], zipfile.ZIP_BZIP2)
    with pytest.raises(OSError, match='not packed by deflate'):
        fileio.get(f'zip://{tmp_path}/b.zip/a.bin')

    (tmp_path / 'c.zip').write_bytes((tmp_path / 'b.zip').read_bytes()[:80])
    with pytest.raises(OSError, match='c.zip is not a complete zip archive'):
        fileio.get(f'zip://{tmp_path}/c.zip/a.bin')


def test_a_file_that_unpacks_to_more_than_it_says(tmp_path):
    """No more memory is used than the central directory declares, and never more than the maximum size."""
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a.bin', b'\0' * 1_000_003)
    size = (1_000_003).to_bytes(4, 'little')
    content = (tmp_path / 'a.zip').read_bytes()
    for name, said, told in (('small', 3, 'its checksum differs'), ('large', 3 << 30, 'more than 2,147,483,648')):
        (tmp_path / f'{name}.zip').write_bytes(content.replace(size, said.to_bytes(4, 'little')))
        with pytest.raises(OSError, match=told):
            fileio.get(f'zip://{tmp_path}/{name}.zip/a.bin')


def test_two_different_files_of_one_name(tmp_path):
    for name in ('a', 'b'):
        (tmp_path / 'x.txt').write_text(name)
        pack(tmp_path / f'{name}.zip', tmp_path, [tmp_path / 'x.txt'])
    with pytest.raises(OSError, match=r'a.zip and .*b.zip have different files x.txt: name the archive'):
        fileio.get(f'zip://{tmp_path}/x.txt')
    assert fileio.get_text(f'zip://{tmp_path}/b.zip/x.txt') == 'b'


def test_archives_that_changed_are_listed_anew(tmp_path):
    for name in ('a', 'b'):
        (tmp_path / f'{name}.txt').write_text(name)
        pack(tmp_path / f'{name}.zip', tmp_path, [tmp_path / f'{name}.txt'])
        assert f'{name}.txt' in fileio.list_dir_or_file(f'zip://{tmp_path}')
        assert fileio.get_text(f'zip://{tmp_path}/{name}.txt') == name
