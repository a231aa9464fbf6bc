"""Reading a checkpoint runs no code from the file, and damage is reported."""

import pickle

import numpy as np
import pytest
import torch
from traps import trap

from mmuda.checkpoints import UntrustedCheckpoint, read_checkpoint


def test_the_trap_would_work(tmp_path):
    path, marker = trap(tmp_path)
    torch.load(path, weights_only=False)
    assert marker.exists()


def test_objects_are_not_unpickled(tmp_path):
    path, marker = trap(tmp_path)
    with pytest.raises(RuntimeError, match=r'trap.pth is not a plain checkpoint.*is refused'):
        read_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    'content, protocol, message',
    [
        (dict(a=torch.rand(2)), 4, r'holds more than weights, or is damaged \(Unsupported operand 149\)'),
        (dict(a=np.array(['text'])), 2, 'NumPy arrays of dtype .U4., expected numbers'),
        (dict(a=Exception('a')), 2, r'it holds \w+\.Exception'),
    ],
)
def test_what_needs_full_unpickling_is_not_called_damaged(tmp_path, content, protocol, message):
    path = tmp_path / 'a.pth'
    torch.save(content, path, pickle_protocol=protocol)
    with pytest.raises(UntrustedCheckpoint, match=f'a.pth is not a plain checkpoint: .*{message}.*is refused'):
        read_checkpoint(path)
    assert read_checkpoint(path, trust=True)


def test_torchscript_is_named(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), tmp_path / 'module.pt')
    with pytest.raises(
        RuntimeError, match='module.pt is a module of TorchScript, not a checkpoint: save the state_dict'
    ):
        read_checkpoint(tmp_path / 'module.pt')


def test_old_files_are_read(tmp_path):
    torch.save(dict(a=torch.ones(2)), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / 'old.pth')['a'].sum() == 2
    torch.save(dict(a=Exception()), tmp_path / 'trap.pth', _use_new_zipfile_serialization=False)
    with pytest.raises(UntrustedCheckpoint, match=r'it holds \w+\.Exception'):
        read_checkpoint(tmp_path / 'trap.pth')


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 torn', pickle.dumps([1])[:5]])
def test_torn_files_are_named(tmp_path, content):
    path = tmp_path / 'torn.pth'
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match='torn.pth (cannot be read|is no checkpoint of PyTorch)'):
        read_checkpoint(path)


def test_a_truncated_checkpoint_is_named(tmp_path):
    path = tmp_path / 'cut.pth'
    torch.save(dict(state_dict=dict(a=torch.rand(1000))), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(RuntimeError, match='cut.pth cannot be read as a checkpoint'):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.pth does not exist'):
        read_checkpoint(tmp_path / 'nowhere.pth')
