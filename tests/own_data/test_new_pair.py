"""A pair of data sets, made from folders."""

import re

import cv2
import numpy as np
import pytest
from own_folders import render, scene, write, write_folders

from mmuda.own_data.new_pair import Request, new_pair


def request(root, **options):
    wishes = dict(
        source=root / 'renders', target=root / 'photographs', val=root / 'checked', classes=['ground', 'tree', 'house']
    )
    return Request(
        **{key: str(value) if hasattr(value, 'parts') else value for key, value in {**wishes, **options}.items()}
    )


def screen(wishes, ask=None):
    lines = []
    pair = new_pair(wishes, lines.append, ask)
    return pair, '\n'.join(lines)


def test_one_screen_shows_what_there_is(tmp_path):
    root = write_folders(tmp_path)
    (root / 'photographs' / 'notes.txt').write_text('x')
    pair, shown = screen(request(root))
    assert pair.classes.names == ('ground', 'tree', 'house') and pair.classes.table == {0: 0, 1: 1, 2: 2}
    assert f'source  {root}/renders/rgb/town: 3 images, 3 with labels in {root}/renders/labels/town\n' in shown
    assert '\n        sizes   64x48\n        images  PNG RGB' in shown
    assert 'labels  PNG L, as labels/town/0001.png' in shown
    assert f'target  {root}/photographs: 3 images, without labels' in shown and 'images  JPEG RGB' in shown
    assert 'not used: 1, not an image (.txt), such as notes.txt' in shown
    assert '3 ids in all 3 labels:' in shown and shown.count('house') == 2
    assert pair.validates and pair.plan.crop == (48, 64)
    assert pair.source.pairing.pairs[0] == ('rgb/town/0001.png', 'labels/town/0001.png')
    assert pair.val.pairing.pairs[0] == ('images/1.jpg', 'masks/1_mask.png')


def test_the_table_of_values_counts_pixels(tmp_path):
    _, shown = screen(request(write_folders(tmp_path)))
    pixels = sum((scene(number) == 2).sum() for number in (1, 2, 3))
    assert re.search(rf'\n +2 +{pixels} +\S+ % +3  house\n', shown)


def test_missing_names_are_asked_for_or_an_error(tmp_path):
    root = write_folders(tmp_path, values=(0, 7, 9, 255))
    with pytest.raises(ValueError, match='the classes have no names: add --classes NAME'):
        screen(request(root, classes=()))
    answers = iter(['ground', 'tree', 'house', ''])
    pair, shown = screen(request(root, classes=()), lambda question, default: next(answers) or default)
    assert pair.classes.table == {0: 0, 7: 1, 9: 2, 255: 255}
    assert '255 often means no class: --ignore 255' in shown and '0 is a class, or means no class' in shown
    (root / 'renders' / 'classes.txt').write_text('0 ground\n7 tree\n9 house\n255 ignore\n')
    with pytest.raises(ValueError, match='there is .*renders/classes.txt: --classes'):
        screen(request(root, classes=()))
    pair, _ = screen(request(root, classes=()), lambda question, default: default)
    assert pair.classes.names == ('ground', 'tree', 'house')


def test_a_source_without_labels_is_an_error(tmp_path):
    root = write_folders(tmp_path)
    with pytest.raises(ValueError, match='no image below .*photographs has a label. An image is IMG_1.JPG'):
        screen(request(root, source=root / 'photographs'))
    pair, _ = screen(request(root, source=root / 'renders' / 'rgb'))
    assert pair.source.pairing.root == root / 'renders'
    (root / 'photographs' / 'labels.zip').touch()
    with pytest.raises(ValueError, match='if the labels are in labels.zip, unpack it'):
        screen(request(root, source=root / 'photographs'))


def test_values_of_source_and_validation_are_compared(tmp_path):
    root = write_folders(tmp_path)
    write(root / 'checked' / 'masks' / '1_mask.png', scene(101) + 5)
    with pytest.raises(
        ValueError, match='(?s)3 of val have no class:\n  source: 0 ground, 1 tree, 2 house\n  val:    0, 1, 2, 5'
    ):
        screen(request(root))
    for number in (1, 2, 3):
        write(root / 'checked' / 'masks' / f'{number}_mask.png', scene(100 + number) + 5)
    (tmp_path / 'val.txt').write_text('7 ground\n5 tree\n6 house\n')
    pair, shown = screen(request(root, classes=['tree', 'ground', 'house'], val_classes=[str(tmp_path / 'val.txt')]))
    assert pair.classes.table == {0: 0, 1: 1, 2: 2} and pair.val.table == {5: 0, 7: 1, 6: 2}
    (tmp_path / 'val.txt').write_text('5 ground\n6 tree\n7 car\n')
    with pytest.raises(
        ValueError, match='different classes:\n  source: ground, tree, house\n  val: 5 ground, 6 tree, 7 car'
    ):
        screen(request(root, val_classes=[str(tmp_path / 'val.txt')]))


def test_class_files_beside_the_images_are_compared(tmp_path):
    root = write_folders(tmp_path)
    for folder, names in {'renders': 'ground\ntree\nhouse\n', 'checked': 'ground\nhouse\ntree\n'}.items():
        (root / folder / 'classes.txt').write_text(names)
    with pytest.raises(
        ValueError, match=r'different classes, in their order:\n  source: ground, tree, house\n  val \('
    ):
        screen(request(root, classes=[str(root / 'renders' / 'classes.txt')]))
    for folder, names in {'renders': '0 ground\n1 tree\n2 house\n', 'checked': '0 ground\n2 tree\n1 house\n'}.items():
        (root / folder / 'classes.txt').write_text(names)
    with pytest.raises(ValueError, match='(?s)other ids:.*source: 0 ground, 1 tree, 2 house.* 1 house.*--val-classes'):
        screen(request(root, classes=[str(root / 'renders' / 'classes.txt')]))
    (root / 'checked' / 'classes.txt').write_text('2 house\n0 ground\n1 tree\n')
    assert screen(request(root, classes=[str(root / 'renders' / 'classes.txt')]))[0].val.table is None


def test_without_labels_nothing_stands_in_for_the_target(tmp_path):
    root = write_folders(tmp_path)
    pair, shown = screen(request(root, val=None))
    assert not pair.validates and pair.watched is pair.target and 'scores without labels; a part of the source' in shown
    pair, shown = screen(request(root, val=root / 'checked' / 'images', source=root / 'renders'))
    assert pair.validates  # masks/ is found beside images/
    for path in (root / 'checked' / 'masks').iterdir():
        path.unlink()
    pair, shown = screen(request(root))
    assert not pair.validates and pair.watched is pair.val and 'val     has no labels' in shown


def test_images_to_validate_with_are_not_adapted_to(tmp_path):
    root = write_folders(tmp_path)
    write(root / 'checked' / 'images' / '9.jpg', render(scene(9)))
    pair, shown = screen(request(root, target=root / 'checked'))
    assert [image for image, _ in pair.target.pairing.pairs] == ['images/9.jpg']
    assert 'not used: 3, an image of --val, too' in shown
    with pytest.raises(ValueError, match='all 3 images of --target are also images of --val: nothing'):
        screen(request(root, target=root / 'photographs', val=root / 'photographs'))
    with pytest.raises(ValueError, match='all 3 images of --target are also images of --source: nothing'):
        screen(request(root, target=root / 'renders'))


def test_classes_that_the_source_does_not_show_are_ignored_aloud(tmp_path):
    root = write_folders(tmp_path)
    for number in (1, 2, 3):
        write(root / 'checked' / 'masks' / f'{number}_mask.png', scene(100 + number) + 1)
    pair, shown = screen(request(root, classes=['train_ids'], val_classes=['train_ids']))
    assert pair.classes.names == ('road', 'sidewalk', 'building') and pair.classes.palette[0] == (128, 64, 128)
    assert pair.classes.table[3] == 255 and 'that do not occur in the source are ignored: wall, fence' in shown
    assert 'train, motorcycle, bicycle (labels have wall)' in shown and '(ignored)' in shown


def test_colours_and_channels(tmp_path):
    root = write_folders(tmp_path)
    for number in (1, 2, 3):
        label = scene(number)
        write(root / 'renders' / 'labels' / 'town' / f'{number:04d}.png', render(label))
        red = np.zeros((*label.shape, 3), np.uint8)
        red[..., 2] = scene(100 + number)
        write(root / 'checked' / 'masks' / f'{number}_mask.png', red)
    (tmp_path / 'colours.csv').write_text('name,r,g,b\nground,90,90,90\ntree,30,160,40\nhouse,200,40,30\n')
    (tmp_path / 'ids.txt').write_text('ground\ntree\nhouse\n')
    wishes = request(root, classes=[str(tmp_path / 'colours.csv')], val_classes=['0'])
    with pytest.raises(ValueError, match='different classes'):
        screen(wishes)
    (tmp_path / 'ids.txt').write_text('0 ground\n1 tree\n2 house\n')
    pair, shown = screen(
        request(root, classes=[str(tmp_path / 'colours.csv')], val_classes=[str(tmp_path / 'ids.txt')])
    )
    assert pair.classes.table == {(90, 90, 90): 0, (30, 160, 40): 1, (200, 40, 30): 2}
    assert pair.classes.palette == ((90, 90, 90), (30, 160, 40), (200, 40, 30))
    assert pair.val.channel == 0 and pair.val.table == {0: 0, 1: 1, 2: 2} and 'in channel 0 of the files' in shown


def test_names_that_do_not_fit_show_the_table_of_values(tmp_path):
    root, lines = write_folders(tmp_path), []
    with pytest.raises(ValueError, match='there are 2 names'):
        new_pair(request(root, classes=['ground', 'tree']), lines.append)
    assert lines[-1].startswith('3 ids in all 3 labels:')
    for number in (1, 2, 3):
        write(root / 'renders' / 'labels' / 'town' / f'{number:04d}.png', render(scene(number)))
    with pytest.raises(ValueError, match='hold 3 colours, so --classes needs a file(?s:.*)  NAME 90 90 90\n'):
        new_pair(request(root), lines.append)
    pixels = sum((scene(number) == 2).sum() for number in (1, 2, 3))
    assert re.search(rf'colour +pixels +share +labels\n(.*\n)* +200 40 30 +{pixels} +\S+ % +3', lines[-1])


def test_labels_that_cannot_be_read_leave_their_images_out(tmp_path):
    root = write_folders(tmp_path)
    path = root / 'renders' / 'labels' / 'town' / '0002.png'
    data = cv2.imencode('.png', scene(2))[1].tobytes()
    path.write_bytes(data[: len(data) // 2])
    pair, shown = screen(request(root))
    assert len(pair.source.pairing.pairs) == 2 and '1 labels cannot be read, such as' in shown
