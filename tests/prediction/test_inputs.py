"""Images given as arguments, and the names of their outputs."""

import os

import pytest

from mmuda.prediction.inputs import find_images, names_of


@pytest.fixture
def tree(tmp_path):
    for name in (
        'a/x.png',
        'a/deep/x.JPG',
        'b/x.png',
        'b/x.jpg',
        'b/y.tif',
        'b/notes.md',
        'b/.hidden.png',
        'c d/z.bmp',
    ):
        path = tmp_path / 'data' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / 'data'


def found(*arguments, **options) -> dict[str, str]:
    return {entry.name: entry.path for entry in find_images(arguments, **options).entries}


def test_a_folder_is_mirrored(tree):
    names = found(tree)
    assert list(names) == sorted(['a/deep/x', 'a/x', 'b/x.jpg', 'b/x.png', 'b/y.tif', 'c d/z'])
    assert names['a/deep/x'] == str(tree / 'a/deep/x.JPG')
    assert find_images([tree]).others == 1, 'only notes.md must count, hidden files must not'


def test_several_folders_are_named_from_what_they_have_in_common(tree):
    assert set(found(tree / 'a', tree / 'c d')) == {'a/x', 'a/deep/x', 'c d/z'}
    assert set(found(tree / 'a')) == {'x', 'deep/x'}
    assert set(found(tree / 'a/x.png', tree / 'b/x.png')) == {'a/x', 'b/x'}
    assert set(found(tree / 'a/x.png')) == {'x'}
    assert len(found(tree, tree / 'a', tree / 'a/x.png')) == 6, 'each image must be listed once'


def test_patterns(tree, monkeypatch):
    assert set(found(str(tree / '*/x.png'))) == {'a/x', 'b/x'}
    assert set(found(str(tree / '**/*.JPG'))) == {'x'}
    monkeypatch.chdir(tree)
    assert set(found('a', 'b/*.tif')) == {'a/x', 'a/deep/x', 'b/y'}
    with pytest.raises(FileNotFoundError, match=r"no file matches the pattern 'q\*.png'"):
        find_images(['q*.png'])


def test_a_list_is_relative_to_itself_or_to_where_the_command_runs(tree, monkeypatch, tmp_path):
    monkeypatch.chdir(tree)
    text = f'# comment\n\na/x.png\n{tree / "b/y.tif"}\nc d/z.bmp\nb/x.png b/x_label.png\n'
    (tree / 'list.txt').write_text(text, encoding='utf-8-sig')
    assert set(found(tree / 'list.txt')) == {'a/x', 'b/y', 'c d/z', 'b/x'}
    monkeypatch.chdir(tmp_path)
    assert set(found(tree / 'list.txt')) == {'a/x', 'b/y', 'c d/z', 'b/x'}
    (tree / 'list.txt').write_text('a/x.png\na/gone.png\n')
    with pytest.raises(FileNotFoundError, match='list.txt, line 2: a/gone.png does not exist'):
        find_images([tree / 'list.txt'])


def test_outputs_are_no_inputs(tree):
    (tree / 'out/labels').mkdir(parents=True)
    (tree / 'out/labels/x.png').touch()
    assert len(found(tree, out=tree / 'out')) == 6
    assert len(found(tree)) == 7


def test_links_are_followed_and_end(tree, tmp_path):
    os.symlink(tree, tree / 'a/again')
    os.symlink(tree / 'c d', tmp_path / 'link')
    assert len(found(tree)) == 6
    assert set(found(tmp_path / 'link')) == {'z'}


def test_mistakes_are_told(tree):
    with pytest.raises(FileNotFoundError, match='nowhere does not exist: give images'):
        find_images([tree / 'nowhere'])
    with pytest.raises(ValueError, match="notes.md ends with '.md': images end with"):
        find_images([tree / 'b/notes.md'])
    (tree / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='no image was found in .*empty'):
        find_images([tree / 'empty'])


@pytest.mark.parametrize(
    'paths', [['x.png', 'x.jpg', 'x.png.png'], ['a.png', 'A.jpg', 'b.png'], ['d/x.png', 'd/x.png.jpg', 'd/x.jpg']]
)
def test_names_never_meet(paths):
    names = names_of(paths)
    assert len({name.lower() for name in names}) == len(paths)
