"""Files below a folder."""

import gzip
import struct

import pytest

from mmuda.own_data.files import BROKEN_LINK, EMPTY, NO_IMAGE, ODD_NAME, find_files, is_listable, suffixes_of


def write(root, *names, content=b'x'):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def test_images_are_found_in_nested_folders_whatever_the_case_of_their_suffix(tmp_path):
    write(
        tmp_path, 'b/c/1.JPG', 'a.png', 'b/2.Tif', 'notes.txt', 'b/x.json', '.hidden/3.png', '__MACOSX/4.png', '.5.png'
    )
    write(tmp_path, 'empty.png', content=b'')
    found = find_files(tmp_path)
    assert found.folder == tmp_path and found.names == ['a.png', 'b/2.Tif', 'b/c/1.JPG']
    assert {reason: sorted(names) for reason, names in found.left_out.items()} == {
        NO_IMAGE: ['b/x.json', 'notes.txt'],
        EMPTY: ['empty.png'],
    }
    assert suffixes_of(['a.txt', 'b.TXT', 'README']) == '.txt 2, without a suffix'


def test_slices_of_volumes_are_images(tmp_path):
    header = bytearray(352)
    struct.pack_into('<i', header, 0, 348)
    struct.pack_into('<8h', header, 40, 3, 6, 4, 2, 1, 1, 1, 1)
    write(tmp_path, 'scan.nii.gz', content=gzip.compress(bytes(header)))
    write(tmp_path, 'damaged.nii')
    found = find_files(tmp_path)
    assert found.names == ['scan.nii.gz/000', 'scan.nii.gz/001'] and found.left_out == {NO_IMAGE: ['damaged.nii']}


def test_links_are_followed_once(tmp_path):
    write(tmp_path, 'elsewhere/1.png', 'data/own/2.png')
    data = tmp_path / 'data'
    (data / 'linked').symlink_to(tmp_path / 'elsewhere')
    (data / 'again').symlink_to(tmp_path / 'elsewhere')
    (data / 'circle').symlink_to(data)
    (data / 'alias').symlink_to(data / 'own')
    (data / 'file.png').symlink_to(tmp_path / 'elsewhere' / '1.png')
    (data / 'lost.png').symlink_to(tmp_path / 'nothing.png')
    found = find_files(data)
    assert found.names == ['again/1.png', 'file.png', 'own/2.png']
    assert found.left_out == {BROKEN_LINK: ['lost.png']}
    (tmp_path / 'all').symlink_to(data)
    assert find_files(tmp_path / 'all').names == found.names


def test_a_folder_may_be_passed_over(tmp_path):
    write(tmp_path, 'images/1.png', 'labels/1.png')
    assert find_files(tmp_path, without=tmp_path / 'labels').names == ['images/1.png']


def test_names_that_a_list_cannot_hold_are_left_out(tmp_path):
    write(tmp_path, 'fine name, with "quotes".png', 'a\tb.png', 'a\nb.png', '#1.png', ' blank.png')
    found = find_files(tmp_path)
    assert found.names == ['fine name, with "quotes".png'] and len(found.left_out[ODD_NAME]) == 4
    assert not is_listable('\udcff.png') and is_listable('für.png')


def test_what_is_no_folder_is_an_error(tmp_path):
    write(tmp_path, 'a.png')
    with pytest.raises(FileNotFoundError, match='nothing does not exist'):
        find_files(tmp_path / 'nothing')
    with pytest.raises(NotADirectoryError, match='a.png is a file: give the folder'):
        find_files(tmp_path / 'a.png')
    (tmp_path / 'labels.zip').touch()
    with pytest.raises(NotADirectoryError, match='labels.zip is an archive: unpack it'):
        find_files(tmp_path / 'labels.zip')
