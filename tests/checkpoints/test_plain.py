"""Our checkpoints hold only tensors and plain values. Training resumes from them as it does from those of mmengine."""

import enum
import pickletools
import zipfile
from collections import OrderedDict, namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from toolbox import tiny_config
from torch import nn

from mmuda.checkpoints import latest_checkpoint, publish, read_checkpoint, restore_histories, to_plain, write_checkpoint
from mmuda.engine.launch import build_runner

Point = namedtuple('Point', 'x y')


class Color(str, enum.Enum):
    RED = 'red'


def read_without_stand_ins(path) -> dict:
    """Read a file with PyTorch alone, which allows only its default types."""
    before = torch.serialization.get_safe_globals()  # PyTorch adds these for distributed tensors
    torch.serialization.clear_safe_globals()
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    finally:
        torch.serialization.add_safe_globals(before)


def classes_in(path) -> set[str]:
    """Return the names of all classes and functions that a file refers to, except those of the module ``torch``."""
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith('data.pkl'))
        found = {argument for code, argument, _ in pickletools.genops(archive.read(name)) if code.name == 'GLOBAL'}
    return {name for name in found if not name.startswith('torch ')}


@pytest.mark.parametrize(
    'value, expected',
    [
        (np.float64(0.1), 0.1),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_('text'), 'text'),
        (Color.RED, 'red'),
        (Path('a/b'), 'a/b'),
        (ConfigDict(a=[ConfigDict(b=1)]), {'a': [{'b': 1}]}),
        (Point(1, np.float32(2)), (1, 2.0)),
        ({np.int64(3): 'three'}, {3: 'three'}),
        (frozenset([1]), {1}),
        ((None, True, 2, 3.5, 1j, torch.float16, torch.device('cpu'), torch.Size([2])),) * 2,
    ],
)
def test_values_become_plain(tmp_path, value, expected):
    write_checkpoint(tmp_path / 'a.pth', dict(value=value))
    found = read_without_stand_ins(tmp_path / 'a.pth')['value']
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    'array',
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.eye(2, 3, dtype=np.float32)),
        np.arange(6, dtype='>i4')[::-2],
        np.array([True, False]),
        np.array(5),
        np.zeros((0, 3)),
    ],
    ids=lambda array: f'{array.dtype}{array.shape}',
)
def test_arrays_become_tensors(array):
    found = to_plain([array])[0]
    assert isinstance(found, torch.Tensor) and found.numpy().dtype == array.dtype.newbyteorder('=')
    np.testing.assert_array_equal(found.numpy(), array)


def test_bytes_become_tensors():
    found = to_plain((b'ab', b''))
    assert [part.tolist() for part in found] == [[97, 98], []] and found[1].dtype == torch.uint8


def test_tensors_are_kept_and_the_original_is_not_changed():
    shared = [np.float64(1)]
    weight = nn.Parameter(torch.ones(2))
    content = dict(first=shared, second=shared, weight=weight, view=weight.data[:1])
    found = to_plain(content)
    assert found['first'] is found['second'] and type(found['first'][0]) is float
    assert found['weight'] is weight and found['view'].data_ptr() == weight.data_ptr()
    assert type(shared[0]) is np.float64


def test_attributes_of_tensors_are_left_behind(tmp_path):
    weight = torch.ones(2)
    weight.owner = nn.Linear(1, 1)
    write_checkpoint(tmp_path / 'a.pth', dict(weight=weight))
    assert read_without_stand_ins(tmp_path / 'a.pth')['weight'].sum() == 2 and hasattr(weight, 'owner')


def test_versions_of_modules_stay_with_their_weights():
    state = nn.Sequential(nn.BatchNorm2d(2)).state_dict()
    found = to_plain(dict(state_dict=state))['state_dict']
    assert type(found) is OrderedDict and found._metadata['0'] == dict(version=2) == state._metadata['0']


@pytest.mark.parametrize(
    'value, message',
    [
        (nn.ReLU(), r"checkpoint\['hub'\]\['some'\]\[1\] is a torch.nn.*ReLU: checkpoints hold tensors"),
        (np.array(['text']), 'is a numpy.ndarray of <U4'),
        (np.datetime64('2026-01-01'), 'is a numpy.datetime64'),
        (print, 'is a builtins.builtin_function_or_method'),
    ],
)
def test_what_has_no_plain_form_is_named_and_not_written(tmp_path, value, message):
    with pytest.raises(TypeError, match=message):
        write_checkpoint(tmp_path / 'a.pth', dict(hub=dict(some=[0, value])))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('values', [[], [1.5, 0.1, 7.25], [3, 4]])
def test_log_histories_come_back_exactly(tmp_path, values):
    buffer = HistoryBuffer(max_length=10)
    for count, value in enumerate(values, 1):
        buffer.update(value, count)
    given = HistoryBuffer(values, [1] * len(values))  # integers must stay integers
    write_checkpoint(tmp_path / 'a.pth', dict(message_hub=dict(log_scalars=dict(loss=buffer, given=given))))
    content = read_without_stand_ins(tmp_path / 'a.pth')
    restore_histories(content, 'a.pth')
    for name, before in dict(loss=buffer, given=given).items():
        back = content['message_hub']['log_scalars'][name]
        assert type(back) is HistoryBuffer and back.max_length == before.max_length
        for found, expected in zip(back.data, before.data, strict=True):
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
        if values:
            back.update(2.0)
            assert back.statistics('mean', 1) == 2.0


@pytest.mark.parametrize(
    'change',
    [
        dict(log=torch.ones(2, 2)),
        dict(log=torch.ones(3)),
        dict(count=[1, 1]),
        dict(max_length='10'),
        dict(max_length=0),
        dict(log=None),
    ],
)
def test_a_damaged_log_history_is_named(change):
    history = dict(log=torch.ones(2), count=torch.ones(2), max_length=10)
    hub = dict(log_scalars=dict(good=history, bad={**history, **change}))
    with pytest.raises(RuntimeError, match="a.pth has a damaged log history 'bad'.*load_from"):
        restore_histories(dict(message_hub=hub), 'a.pth')
    for other in (None, 3, {}, dict(log_scalars=None)):
        restore_histories(dict(message_hub=other), 'a.pth')


ONLY_PYTORCH = {'collections OrderedDict', 'torch._utils _rebuild_tensor_v2', '_codecs encode'}


def test_pytorch_alone_reads_what_training_writes(minicity, tmp_path):
    """PyTorch alone reads the checkpoints of a training: they contain no class of NumPy or mmengine."""
    best = {'val': 2, '+default_hooks.checkpoint.save_best': 'mIoU'}
    cfg = tiny_config('advent', minicity, tmp_path / 'work', iters=4, **best)
    runner = build_runner(cfg)
    runner.message_hub.update_info('ours', dict(rate=np.float64(0.5), path=tmp_path))
    runner.train()
    files = [latest_checkpoint(tmp_path / 'work'), *map(str, (tmp_path / 'work').glob('best_*.pth'))]
    assert len(files) == 2
    for path in files:
        assert classes_in(path) <= ONLY_PYTORCH
        content = read_without_stand_ins(path)
        assert set(content) >= {'state_dict', 'message_hub', 'random_states', 'meta'}
        assert content['message_hub']['log_scalars'] and content['message_hub']['runtime_info']['ours']['rate'] == 0.5
    assert set(read_without_stand_ins(files[0])) >= {'optimizer', 'param_schedulers'}
    published = publish(files[0], tmp_path / 'plain.pth')
    assert read_without_stand_ins(published)['meta']['iter'] == 4


class Stop(Hook):
    def __init__(self, after: int) -> None:
        self.after = after

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter + 1 == self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize('format', ['ours', 'of mmengine'])
def test_training_goes_on_with_its_log(minicity, tmp_path, format):
    """A resumed training has the log of an uninterrupted one, also from old files with log histories of mmengine."""
    whole = build_runner(tiny_config('source_only', minicity, tmp_path / 'whole', iters=6))
    whole.train()
    cut = build_runner(tiny_config('source_only', minicity, tmp_path / 'cut', iters=6))
    cut.register_hook(Stop(5))
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    path = latest_checkpoint(tmp_path / 'cut')
    if format == 'of mmengine':
        content = read_checkpoint(path)
        restore_histories(content, path)
        content['message_hub']['runtime_info']['number'] = np.float64(0.5)
        torch.save(content, path)
        assert any('HistoryBuffer' in name for name in classes_in(path))
    cfg = tiny_config('source_only', minicity, tmp_path / 'cut', iters=6)
    cfg.resume = True
    resumed = build_runner(cfg)
    resumed.train()
    scalars = [runner.message_hub.log_scalars for runner in (whole, resumed)]
    compared = [name for name in scalars[0] if name.startswith('train/loss') or name == 'train/segmentor.lr']
    assert len(compared) == 2
    for name in compared:
        np.testing.assert_array_equal(scalars[0][name].data[0], scalars[1][name].data[0], err_msg=name)
    first, second = (read_checkpoint(latest_checkpoint(tmp_path / name))['state_dict'] for name in ('whole', 'cut'))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


class Reporter(Hook):
    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        checkpoint['report'] = dict(model=runner.model)


def test_a_hook_that_saves_an_object_is_an_error_that_names_it(minicity, tmp_path):
    runner = build_runner(tiny_config('source_only', minicity, tmp_path, iters=2))
    runner.register_hook(Reporter())
    with pytest.raises(TypeError, match=r"\['report'\]\['model'\] is a mmuda.models.*SourceOnly: checkpoints"):
        runner.train()
    assert latest_checkpoint(tmp_path) is None
