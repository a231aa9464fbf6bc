"""Malicious and damaged checkpoints: each raises one error and has no other effect."""

import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint
from toolbox import tiny_config

from mmuda.checkpoints import UntrustedCheckpoint, latest_checkpoint, read_checkpoint
from mmuda.engine.launch import build_runner
from mmuda.internals import FINAL_LOADERS


def text(value: str) -> bytes:
    return b'X' + struct.pack('<I', len(value)) + value.encode()


def dtype(code: str) -> bytes:
    return b'cnumpy\ndtype\n' + text(code) + b'\x89\x88\x87R'


RAW = b'c_codecs\nencode\n' + text('A' * 8) + text('latin1') + b'\x86R'
OBJECTS = b'cnumpy\nndarray\n(K\x01\x85' + dtype('O8') + RAW + b'tR'
BEGUN = b'cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85' + text('b') + b'\x87R'
NESTED = b'(K\x03' + text('<') + dtype('O8') + b'K\x01\x85\x86NNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'


@pytest.mark.parametrize(
    'payload',
    [
        OBJECTS,
        b'cmmengine.logging.history_buffer\nHistoryBuffer\n' + OBJECTS + OBJECTS + b'\x86R',
        BEGUN + b'(K\x01K\x01\x85' + dtype('O8') + b'\x89' + RAW + b'tb',
        BEGUN + b'(K\x01K\x01\x85' + dtype('f8') + NESTED + b'\x89' + RAW + b'tb',
        BEGUN + b'(K\x01K\x40\x85' + dtype('f8') + b'\x89' + RAW + b'tb',
        b'cnumpy._core.multiarray\nscalar\n' + dtype('O8') + RAW + b'\x86R',
        b'cnumpy\nndarray\n(\x8a\x06' + (2**40).to_bytes(6, 'little') + b'\x85' + dtype('u1') + b'tR',
        b'cbuiltins\ngetattr\ncmmengine.logging.history_buffer\nHistoryBuffer\n' + text('__init__') + b'\x86R',
    ],
    ids=['buffer', 'history', 'objects', 'nested', 'too_few', 'scalar', 'huge', 'getattr'],
)
@pytest.mark.parametrize('through', ['read_checkpoint', 'mmengine'])
def test_arrays_in_files_cannot_forge_objects(tmp_path, payload, through):
    """Arrays in a checkpoint cannot make NumPy build objects from raw numbers, which could crash the process."""
    torch.save(dict(a=torch.rand(1)), tmp_path / 'plain.pth')
    with zipfile.ZipFile(tmp_path / 'plain.pth') as plain, zipfile.ZipFile(tmp_path / 'forged.pth', 'w') as forged:
        for name in plain.namelist():
            forged.writestr(name, b'\x80\x02' + payload + b'.' if name.endswith('data.pkl') else plain.read(name))
    if through == 'read_checkpoint':
        with pytest.raises(RuntimeError, match='forged.pth (is not a plain checkpoint|cannot be read)'):
            read_checkpoint(tmp_path / 'forged.pth')
    else:
        # mmengine's loaders that read from a stream call this one at the end
        load = getattr(mmengine_checkpoint, FINAL_LOADERS[-1])
        with open(tmp_path / 'forged.pth', 'rb') as file:
            with pytest.raises(RuntimeError, match='the checkpoint (is not a plain checkpoint|cannot be read)'):
                load(file)


@pytest.mark.parametrize('shadowed', [None, 'pop', 'get'])
def test_resuming_does_not_execute_text(tmp_path, minicity, shadowed):
    """Resuming does not execute ``meta.config`` of a checkpoint, which mmengine would run as a Python config."""
    cfg = tiny_config('source_only', minicity, tmp_path / 'work')
    build_runner(cfg).train()
    path, marker = latest_checkpoint(tmp_path / 'work'), tmp_path / 'marker'
    content = read_checkpoint(path)
    content['meta'] = OrderedDict(content['meta'], config=f'open({str(marker)!r}, "w")')
    if shadowed:  # `weights_only` reading accepts an OrderedDict with any attributes
        setattr(content['meta'], shadowed, np.array([1.0]))
    torch.save(content, path)
    cfg.resume, cfg.resume_allow = path, ['train_cfg.max_iters']
    cfg.train_cfg.max_iters += 1
    if shadowed:
        with pytest.raises(UntrustedCheckpoint, match='attributes'):
            build_runner(cfg).train()
    else:
        build_runner(cfg).train()
    assert not marker.exists()


def test_attributes_of_tensors_are_forgotten(tmp_path):
    weight = torch.ones(2)
    weight.float = np.array([1.0])
    torch.save(dict(state_dict=OrderedDict(a=weight)), tmp_path / 'a.pth')
    assert read_checkpoint(tmp_path / 'a.pth')['state_dict']['a'].float().sum() == 2


def test_a_random_state_that_reads_beside_its_memory_is_refused(tmp_path, minicity):
    cfg = tiny_config('source_only', minicity, tmp_path / 'work')
    build_runner(cfg).train()
    path = latest_checkpoint(tmp_path / 'work')
    content = read_checkpoint(path)
    name, keys, _, *rest = content['random_states'][0]['numpy']
    content['random_states'][0]['numpy'] = (name, keys, 10**9, *rest)
    torch.save(content, path)
    cfg.resume, cfg.resume_allow = path, ['train_cfg.max_iters']
    cfg.train_cfg.max_iters += 1
    with pytest.raises(ValueError, match="damaged random state .'MT19937', .624,., position 1000000000"):
        build_runner(cfg).train()


@pytest.mark.parametrize(
    'content', [dict(state_dict={}), dict(state_dict={}, meta=None), dict(state_dict={}, meta=dict(epoch=1))]
)
def test_what_cannot_be_resumed_is_named(tmp_path, minicity, content):
    torch.save(content, tmp_path / 'a.pth')
    cfg = tiny_config('source_only', minicity, tmp_path / 'work')
    cfg.resume = str(tmp_path / 'a.pth')
    with pytest.raises(RuntimeError, match='a.pth holds no state of a training to resume: start a new training'):
        build_runner(cfg).train()


@pytest.mark.parametrize('legacy', [False, True])
def test_no_flipped_bit_ends_in_anything_but_one_error(tmp_path, legacy):
    torch.manual_seed(0)
    buffer = HistoryBuffer()
    buffer.update(1.5)
    torch.save(
        dict(state_dict=dict(a=torch.rand(3, 4)), meta=dict(iter=1), log=buffer, number=np.float64(2)),
        tmp_path / 'whole.pth',
        _use_new_zipfile_serialization=not legacy,
    )
    content, random = (tmp_path / 'whole.pth').read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        flipped = bytearray(content)
        flipped[random.integers(len(content))] ^= 1 << random.integers(8)
        (tmp_path / 'flipped.pth').write_bytes(flipped)
        try:
            read_checkpoint(tmp_path / 'flipped.pth')
        except RuntimeError as error:
            assert 'flipped.pth' in str(error) and type(error) in (RuntimeError, UntrustedCheckpoint)
            refused += 1
    assert refused > 50
