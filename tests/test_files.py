"""Files are written completely or not at all, and files of earlier runs are kept."""

import hashlib
import json

import pytest
import torch

from mmuda.files import (
    existing_folder,
    file_digest,
    fresh_folder,
    move_aside,
    save_torch,
    torch_bytes,
    whole_file,
    write_atomically,
    write_json,
)


def names(folder) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file())


def test_a_file_replaces_another_and_missing_folders_are_made(tmp_path):
    for content in (b'first', b'second'):
        write_atomically(tmp_path / 'a/b/file', content)
        assert (tmp_path / 'a/b/file').read_bytes() == content
    assert names(tmp_path) == ['a/b/file']


def test_a_failure_leaves_the_old_file_and_no_remains(tmp_path):
    write_atomically(tmp_path / 'file', b'old')
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / 'file') as draft:
        draft.write_bytes(b'half of the n')
        raise ZeroDivisionError
    assert names(tmp_path) == ['file'] and (tmp_path / 'file').read_bytes() == b'old'


@pytest.mark.parametrize('indent', [None, 1])
def test_json_is_read_back(tmp_path, indent):
    content = dict(a=[1, 2.5, None], b='ä')
    write_json(tmp_path / 'x.json', content, indent)
    assert json.loads((tmp_path / 'x.json').read_text(encoding='utf-8')) == content


def test_json_without_nan_is_a_choice(tmp_path):
    write_json(tmp_path / 'x.json', [float('inf')])
    with pytest.raises(ValueError, match='not JSON compliant'):
        write_json(tmp_path / 'y.json', [float('nan')], allow_nan=False)
    assert names(tmp_path) == ['x.json']


def test_equal_tensors_make_equal_files(tmp_path):
    content = dict(state_dict=dict(weight=torch.arange(6.0).view(2, 3)), done=4)
    for name in ('one.pth', 'two.pth'):
        save_torch(tmp_path / name, content)
    assert (tmp_path / 'one.pth').read_bytes() == (tmp_path / 'two.pth').read_bytes()
    assert torch_bytes(content) == (tmp_path / 'one.pth').read_bytes()
    read = torch.load(tmp_path / 'one.pth', weights_only=True)
    assert read['done'] == 4 and torch.equal(read['state_dict']['weight'], content['state_dict']['weight'])


def test_a_folder_is_always_a_new_one(tmp_path):
    assert [fresh_folder(tmp_path / 'x/run').name for _ in range(3)] == ['run', 'run_2', 'run_3']


def test_an_earlier_run_is_moved_and_kept(tmp_path):
    for name in ('rounds/0/label/a', 'rounds/0/train/b', 'other'):
        write_atomically(tmp_path / name, name.encode())
    folder = move_aside(tmp_path, ['rounds/0/label', 'other', 'missing'])
    assert folder.name.startswith('before_')
    assert names(folder) == ['other', 'rounds/0/label/a'] and (folder / 'other').read_bytes() == b'other'
    assert names(tmp_path / 'rounds') == ['0/train/b']
    again = move_aside(tmp_path, ['rounds'])
    assert again != folder and names(again) == ['rounds/0/train/b']
    assert move_aside(tmp_path, ['missing']) is None


@pytest.mark.parametrize('size', [0, 3, 2**24 + 1])
def test_the_digest_of_a_file(tmp_path, size):
    content = bytes(size)
    (tmp_path / 'a').write_bytes(content)
    assert file_digest(tmp_path / 'a') == hashlib.sha256(content).hexdigest()


def test_the_nearest_folder_that_exists(tmp_path):
    assert existing_folder(tmp_path / 'a/b/c') == tmp_path == existing_folder(tmp_path)
