"""Values in label files."""

import cv2
import numpy as np
import pytest
from PIL import Image

from mmuda.own_data.class_files import Entry
from mmuda.own_data.classes import name_classes
from mmuda.own_data.label_values import count_values

IDS = np.array([[0, 0, 7], [7, 7, 255]], np.uint8)


def save(folder, array, number=0, suffix='.png'):
    path = str(folder / f'{number}{suffix}')
    cv2.imwrite(path, array[..., ::-1] if array.ndim == 3 else array)
    return path


def test_ids_are_counted(tmp_path):
    paths = [save(tmp_path, IDS), save(tmp_path, np.full((2, 3), 7, np.uint8), 1)]
    found = count_values(paths)
    assert found.pixels == {0: 2, 7: 9, 255: 1} and found.files == {0: 1, 7: 2, 255: 1}
    assert found.values == [0, 7, 255] and not found.are_colours and not found.is_mask and found.is_complete
    part = count_values(paths * 4, labels=3)
    assert (part.read, part.total, part.is_complete) == (3, 8, False)


def test_deep_and_indexed_files_hold_ids(tmp_path):
    assert count_values([save(tmp_path, IDS.astype(np.uint16) * 100)]).values == [0, 700, 25500]
    image = Image.fromarray(IDS)
    image.putpalette([9, 9, 9] * 256)
    image.save(tmp_path / 'palette.png')
    assert count_values([str(tmp_path / 'palette.png')]).values == [0, 7, 255]


@pytest.mark.parametrize('alpha', [False, True])
@pytest.mark.parametrize('channel', [0, 2])
def test_ids_in_one_channel_of_many(tmp_path, channel, alpha):
    array = np.zeros((2, 3, 3), np.uint8)
    array[..., channel] = IDS
    if alpha:
        cv2.imwrite(str(tmp_path / '0.png'), np.dstack([array[..., ::-1], np.full((2, 3), 255, np.uint8)]))
    path = str(tmp_path / '0.png') if alpha else save(tmp_path, array)
    found = count_values([path])
    assert (found.channel, found.values) == (channel, [0, 7, 255])


def test_grey_files_of_three_channels_hold_ids(tmp_path):
    found = count_values([save(tmp_path, np.dstack([IDS] * 3))])
    assert (found.channel, found.values) == (None, [0, 7, 255])


def test_colours_are_counted(tmp_path):
    array = np.zeros((2, 3, 3), np.uint8)
    array[0] = (128, 64, 128)
    array[1, 0] = (1, 2, 3)
    found = count_values([save(tmp_path, array)])
    assert found.are_colours and found.channel is None
    assert found.pixels == {(128, 64, 128): 3, (1, 2, 3): 1, (0, 0, 0): 2}
    assert found.values == [(128, 64, 128), (0, 0, 0), (1, 2, 3)]


def test_colours_of_palettes_count_as_those_of_pixels(tmp_path):
    array = np.zeros((1, 2, 3), np.uint8)
    array[0, 1] = (128, 64, 128)
    image = Image.fromarray(np.array([[1, 1]], np.uint8))
    image.putpalette([9, 9, 9, 128, 64, 128])
    image.save(tmp_path / 'palette.png')
    found = count_values([save(tmp_path, array), str(tmp_path / 'palette.png')])
    assert found.pixels == {(0, 0, 0): 1, (128, 64, 128): 3} and not found.unreadable


def test_masks_are_recognised(tmp_path):
    for values in ((0, 255), (0, 1)):
        assert count_values([save(tmp_path, np.array([values], np.uint8))]).is_mask
    assert not count_values([save(tmp_path, np.array([[0, 2]], np.uint8))]).is_mask


def test_what_are_no_classes_is_an_error(tmp_path):
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match='more than 256 colours .*colours were mixed where regions touch'):
        count_values([save(tmp_path, random.integers(0, 255, (40, 40, 3), np.uint8))])
    with pytest.raises(ValueError, match='more than 256 ids .*ids of instances or depths'):
        count_values([save(tmp_path, np.arange(400, dtype=np.uint16).reshape(20, 20))])


def test_labels_that_cannot_be_read_are_named(tmp_path):
    good = save(tmp_path, IDS)
    (tmp_path / 'bad.png').write_bytes(b'no image')
    found = count_values([good, str(tmp_path / 'bad.png')])
    assert list(found.unreadable) == [str(tmp_path / 'bad.png')] and found.values == [0, 7, 255]
    with pytest.raises(OSError, match='none of the 1 labels can be read; .*bad.png'):
        count_values([str(tmp_path / 'bad.png')])


def test_mixtures_of_colours_are_told_with_their_files(tmp_path):
    colours = np.zeros((200, 200, 3), np.uint8)
    colours[50:120, 60:140] = (128, 64, 128)
    clean = [save(tmp_path, colours, number) for number in range(3)]
    assert count_values(clean).mixtures == ''
    smooth = save(tmp_path, cv2.GaussianBlur(colours, (3, 3), 0), 3)
    found = count_values([*clean, smooth])
    assert found.are_colours and len(found.values) > 4
    assert found.mixtures.startswith(f'{len(found.values) - 2} of {len(found.values)} colours, with')
    assert f'first appear in {smooth}: ' in found.mixtures and clean[0] not in found.mixtures
    with pytest.raises(ValueError, match='without a class.*\n.*mixtures at the edges'):
        name_classes([Entry('road', colour=(128, 64, 128)), Entry('ground', colour=(0, 0, 0))], found, ())
