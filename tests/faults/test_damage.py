"""Damaged files, weights with NaN and full disks give one clear error, and no data is lost."""

import errno
import json
import random
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from labellings import label
from mmengine.hooks import Hook
from toolbox import tiny_adaptor, tiny_config
from torch import nn
from trainings import Interrupt, assert_same, final_weights, train

from mmuda.checkpoints import latest_checkpoint, load_weights, publish, read_checkpoint, write_checkpoint
from mmuda.checkpoints.archives import damage
from mmuda.engine.hooks import AdaptationCheckpointHook
from mmuda.engine.inference import load_model
from mmuda.engine.launch import build_runner
from mmuda.engine.run_record import RunRecord
from mmuda.files import write_json
from mmuda.labeling import Manifest
from mmuda.stages.ledger import Ledger


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(content))


def test_no_flipped_bit_of_a_checkpoint_changes_what_is_read(tmp_path):
    state = dict(weight=torch.randn(40, 30), steps=torch.arange(100), facts=dict(iter=3, name='x'))
    whole, path = tmp_path / 'whole.pth', tmp_path / 'bad.pth'
    write_checkpoint(whole, dict(state_dict=state))
    wanted = read_checkpoint(whole)['state_dict']
    draw, found = random.Random(0), 0
    for _ in range(150):
        shutil.copy(whole, path)
        flip(path, draw.randrange(8 * whole.stat().st_size))
        try:
            read = read_checkpoint(path)['state_dict']
        except RuntimeError:
            found += 1
            continue
        assert torch.equal(read['weight'], wanted['weight']) and torch.equal(read['steps'], wanted['steps'])
        assert read['facts'] == wanted['facts']
    assert found > 100


@pytest.mark.parametrize('content', [b'', b'hello', None])
def test_a_damaged_checkpoint_names_the_newest_intact_one(tmp_path, content):
    for number in (1, 2, 3):
        write_checkpoint(tmp_path / f'iter_{number}.pth', dict(state_dict=dict(a=torch.ones(number))))
    bad = tmp_path / 'iter_3.pth'
    bad.write_bytes(bad.read_bytes()[:-40] if content is None else content)
    with pytest.raises(RuntimeError, match='(?s)iter_3.pth.*The newest intact checkpoint beside it is .*iter_2.pth'):
        read_checkpoint(bad)


def test_resume_goes_back_to_the_newest_intact_checkpoint(minicity, tmp_path, capsys):
    train(tiny_config('source_only', minicity, tmp_path / 'whole', iters=6))
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('source_only', minicity, tmp_path / 'cut', iters=6), Interrupt(5))
    flip(tmp_path / 'cut/iter_4.pth', 8 * 5000)
    cfg = tiny_config('source_only', minicity, tmp_path / 'cut', iters=6)
    cfg.resume = True
    train(cfg)
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))
    told = capsys.readouterr().out
    assert 'damaged checkpoints were moved to' in told and 'The newest intact one is' in told
    assert [path.name for path in (tmp_path / 'cut').glob('before_*/iter_*')] == ['iter_4.pth']


def test_only_damaged_checkpoints_are_an_error(minicity, tmp_path):
    train(tiny_config('source_only', minicity, tmp_path, iters=2))
    (tmp_path / 'iter_2.pth').write_bytes(b'')
    cfg = tiny_config('source_only', minicity, tmp_path, iters=2)
    cfg.resume = True
    with pytest.raises(RuntimeError, match=r'(?s)all checkpoints in .* are damaged:.*iter_2.pth: it is empty'):
        train(cfg)


@pytest.mark.parametrize('note', [b'\xff\xfe\x80abc', b'iter_2.pth\0\0', b'..', b''])
def test_a_damaged_note_of_the_last_checkpoint_heals(tmp_path, note):
    write_checkpoint(tmp_path / 'iter_2.pth', dict(state_dict={}))
    (tmp_path / 'iter_50.pth').mkdir()
    (tmp_path / 'last_checkpoint').write_bytes(note)
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'iter_2.pth')


def test_old_formats_have_no_checksums(tmp_path):
    torch.save(dict(a=torch.ones(2)), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert damage(tmp_path / 'old.pth') is None
    assert torch.equal(read_checkpoint(tmp_path / 'old.pth')['a'], torch.ones(2))


# Weights and losses that are not finite.


class Ruin(Hook):
    """A hook that sets a weight to NaN after an iteration whose loss was still finite."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            nn.init.constant_(runner.model.segmentor.decode_head.branches[0].bias, float('nan'))


class Save(Hook):
    """A hook that saves a checkpoint after an iteration."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            hooks = [hook for hook in runner.hooks if isinstance(hook, AdaptationCheckpointHook)]
            hooks[0].save(runner, self.iteration)


def test_ruined_weights_are_not_saved(minicity, tmp_path):
    with pytest.raises(FloatingPointError, match='after iteration 4 has 1 of [0-9]+ weights .*branches.0.bias'):
        train(tiny_config('source_only', minicity, tmp_path), Ruin(4))
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_2.pth']
    assert all(value.isfinite().all() for value in final_weights(tmp_path).values() if value.is_floating_point())


def test_a_loss_that_is_not_finite_names_iteration_images_and_checkpoint(minicity, tmp_path):
    cfg = tiny_config('source_only', minicity, tmp_path, iters=30, save=100)
    cfg.default_hooks.logger.interval = 20
    with pytest.raises(FloatingPointError) as error:
        train(cfg, Save(2), Ruin(3))
    told = str(error.value)
    assert 'loss_seg_main became NaN or infinite in iteration 4' in told
    assert f'The last good checkpoint is {tmp_path}/iter_2.pth' in told
    assert told.count('/source/images/') == 2, 'it must name both images of the batch'


def test_ruined_weights_are_neither_loaded_nor_published(tmp_path):
    model = tiny_adaptor('SourceOnly')
    state = model.state_dict()
    state['segmentor.decode_head.branches.0.bias'][0] = float('inf')
    write_checkpoint(tmp_path / 'bad.pth', dict(state_dict=state, meta={}))
    for use in (lambda: load_weights(model, read_checkpoint(tmp_path / 'bad.pth'), 'bad.pth'), _publishing(tmp_path)):
        with pytest.raises(FloatingPointError, match='bad.pth has 1 of .* weights with NaN or infinite values'):
            use()
    assert [path.name for path in tmp_path.iterdir()] == ['bad.pth']


def _publishing(folder):
    return lambda: publish(folder / 'bad.pth', folder / 'published.pth')


# Settings of a network that the shapes of its weights do not show.


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(segmentor=dict(decode_head=dict(dilations=(3, 4)))), r'decode_head has dilations \[1, 2\].*has \[3, 4\]'),
        (dict(segmentor=dict(decode_head=dict(summed=(0,)))), r'summed_branches \[0, 1\]'),
        (dict(data_preprocessor=dict(bgr_to_rgb=True)), 'data_preprocessor has channel_order bgr'),
    ],
)
def test_dilations_branches_and_channel_order_are_compared(minicity, tmp_path, changes, message):
    options = {'model.segmentor.decode_head.dilations': (1, 2)}
    train(tiny_config('source_only', minicity, tmp_path, iters=2, **options))
    cfg = tiny_config('source_only', minicity, tmp_path / 'other', iters=2, **options)
    cfg.load_from = latest_checkpoint(tmp_path)
    cfg.merge_from_dict(dict(model=changes))
    with pytest.raises(RuntimeError, match=message):
        train(cfg)


def test_class_names_are_compared(minicity, tmp_path):
    train(tiny_config('source_only', minicity, tmp_path, iters=2))
    path = tmp_path / 'turned.pth'
    content = read_checkpoint(latest_checkpoint(tmp_path))
    content['meta']['dataset_meta']['classes'] = content['meta']['dataset_meta']['classes'][::-1]
    write_checkpoint(path, content)
    cfg = tiny_config('source_only', minicity, tmp_path / 'test', load_from=str(path))
    with pytest.raises(RuntimeError, match="in another order .*class 0 is 'bicycle', of the data 'road'"):
        build_runner(cfg).test()
    with pytest.raises(RuntimeError, match="in another order .*class 0 is 'bicycle', of the data 'road'"):
        load_model(cfg, path, read_checkpoint(latest_checkpoint(tmp_path))['meta']['dataset_meta']['classes'])


# Pseudo labels and ledgers.


def test_labels_that_were_changed_are_noticed(tmp_path):
    manifest = label(tmp_path)
    manifest.check_labels()
    path = Path(manifest.label_paths[1])
    cv2.imwrite(str(path), np.full_like(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), 1))
    with pytest.raises(ValueError, match='1 of [0-9]+ label files .* differ from what was written, the first is lab'):
        manifest.check_labels()


def test_a_manifest_that_was_changed_is_noticed(tmp_path):
    folder = label(tmp_path).folder
    content = json.loads((folder / 'manifest.json').read_text())
    content['labels'] = content['labels'][1:] + content['labels'][:1]
    write_json(folder / 'manifest.json', content)
    with pytest.raises(ValueError, match='manifest.json cannot be used .its checksum differs'):
        Manifest.read(folder)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda entry: 'done', 'has no status'),
        (lambda entry: {**entry, 'status': 'doen'}, 'has no status'),
        (lambda entry: {k: v for k, v in entry.items() if k != 'settings'}, 'lacks settings'),
        (lambda entry: {k: v for k, v in entry.items() if k not in ('id', 'result')}, 'lacks id, result'),
    ],
)
@pytest.mark.parametrize('kept', [True, False], ids=['checksum', 'none'])
def test_a_ledger_that_was_changed_is_one_clear_error(tmp_path, change, message, kept):
    ledger = Ledger(tmp_path)
    ledger.begin('a', dict(lr=1), {})
    ledger.finish('a', dict(checkpoint='iter_1.pth'), 1.0)
    content = json.loads(ledger.path.read_text())
    content['stages']['a'] = change(content['stages']['a'])
    if not kept:
        del content['checksum']
    ledger.path.write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match='ledger.json cannot be read .*' + ('its checksum differs' if kept else message)
    ):
        Ledger(tmp_path)


def test_a_record_of_the_run_that_was_changed_is_one_clear_error(tmp_path):
    """A changed record of a run is an error. Otherwise, a new run id would hide its checkpoints from a resume."""
    record = RunRecord(tmp_path)
    record.begin()
    assert RunRecord(tmp_path).run == record.run is not None
    content = json.loads(record.path.read_text())
    record.path.write_text(json.dumps({**content, 'run': '0' * 16}))
    with pytest.raises(ValueError, match='run.json cannot be read .its checksum differs.*delete it'):
        RunRecord(tmp_path)
    del content['checksum']  # earlier versions wrote no checksum
    record.path.write_text(json.dumps(content))
    assert RunRecord(tmp_path).run == record.run


# Disks.


def test_a_full_disk_is_one_error_and_leaves_the_last_checkpoint(minicity, tmp_path, monkeypatch):
    real = torch.save

    def full(content, file, *args, **kwargs):
        if isinstance(content, dict) and content.get('meta', {}).get('iter') == 4:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return real(content, file, *args, **kwargs)

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(OSError, match='the disk is full at .*iter_4.pth: make room and run .* --resume'):
        train(tiny_config('source_only', minicity, tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file() and path.suffix != '.py') == [
        'iter_2.pth',
        'last_checkpoint',
        'run.json',
    ]
    monkeypatch.undo()
    cfg = tiny_config('source_only', minicity, tmp_path)
    cfg.resume = True
    assert train(cfg).iter == 6
