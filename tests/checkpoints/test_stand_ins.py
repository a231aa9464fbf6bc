"""Stand-ins replace NumPy arrays and log histories while files of mmengine are read."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmuda.checkpoints import UntrustedCheckpoint, read_checkpoint


def test_what_mmengine_writes_is_read(tmp_path):
    buffer = HistoryBuffer()
    buffer.update(1.5)
    arrays = dict(
        rows=np.arange(6.0).reshape(2, 3),
        columns=np.asfortranarray(np.eye(2, 3, dtype=np.float32)),
        big=np.arange(3, dtype='>i4'),
        flags=np.array([True, False]),
        point=np.array(5),
        none=np.zeros((0, 3)),
        number=np.float64(3.0),
        count=np.int64(2),
    )
    buffers = dict(loss=buffer, never=HistoryBuffer())
    torch.save(
        dict(state_dict={}, message_hub=dict(log_scalars=buffers), some=[arrays, (np.uint8(1),)]), tmp_path / 'a.pth'
    )
    content = read_checkpoint(tmp_path / 'a.pth')
    back = content['message_hub']['log_scalars']
    assert back['loss'].current() == 1.5 and back['loss'].statistics('mean') == 1.5 and len(back['never'].data[0]) == 0
    found, (one,) = content['some']
    for name, array in arrays.items():
        assert type(found[name]) is type(array) and found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert one == 1 and found['rows'].flags.writeable
    torch.save(content, tmp_path / 'again.pth')
    assert read_checkpoint(tmp_path / 'again.pth')['message_hub']['log_scalars']['loss'].current() == 1.5


def test_getattr_in_a_file_reaches_log_buffers_only(tmp_path):
    class Reach:
        def __reduce__(self):
            return getattr, (HistoryBuffer, '__init__')

    torch.save(dict(state_dict={}, reach=Reach()), tmp_path / 'reach.pth')
    with pytest.raises(RuntimeError, match='not a plain checkpoint'):
        read_checkpoint(tmp_path / 'reach.pth')


def test_what_others_allow_is_not_lost(tmp_path):
    """Reading a file restores the classes that others have allowed, even one with the name of a stand-in."""
    torch.save(dict(a=np.arange(3.0)), tmp_path / 'a.pth')
    with torch.serialization.safe_globals([np.ndarray, (os.getcwd, 'somewhere.getcwd')]):
        before = set(torch.serialization.get_safe_globals())
        np.testing.assert_array_equal(read_checkpoint(tmp_path / 'a.pth')['a'], np.arange(3.0))
        assert set(torch.serialization.get_safe_globals()) == before


def test_many_threads_read_at_once(tmp_path):
    torch.save(dict(a=np.arange(3.0), log=HistoryBuffer()), tmp_path / 'a.pth')
    before = set(torch.serialization.get_safe_globals())
    with ThreadPoolExecutor(4) as pool:
        for content in pool.map(lambda _: read_checkpoint(tmp_path / 'a.pth'), range(60)):
            assert type(content['a']) is np.ndarray
    assert set(torch.serialization.get_safe_globals()) == before


def test_what_is_one_thing_stays_one_thing(tmp_path):
    """Objects that a file stores once are restored once, and nested references do not multiply the reading time."""
    deep = shared = [np.dtype('f4')]
    for _ in range(60):
        deep = [deep, deep]
    torch.save(dict(deep=deep, first=shared, second=shared), tmp_path / 'a.pth')
    content = read_checkpoint(tmp_path / 'a.pth')
    assert content['first'] is content['second'] and content['first'] == [np.dtype('f4')]
    torch.save(dict(a=np.ndarray), tmp_path / 'b.pth')
    with pytest.raises(UntrustedCheckpoint, match="it holds 'numpy.ndarray' itself"):
        read_checkpoint(tmp_path / 'b.pth')
