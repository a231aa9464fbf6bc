"""A few iterations of a training in a temporary folder."""

import shutil

import pytest
import torch
from mmseg.registry import DATASETS
from toolbox import CONFIGS, tiny_config

from mmuda.doctor.dry_run import CHECKPOINT, EndOfStep, NotTried, StepTimes, dry_training, first_images, reduced
from mmuda.engine.launch import load_config


def test_one_pair_gives_all_figures_and_leaves_nothing_behind(minicity, tmp_path):
    cfg = tiny_config('advent', minicity, tmp_path / 'work')
    text = cfg.pretty_text
    folder = tmp_path / 'dry'
    folder.mkdir()
    measured = dry_training(cfg, folder)
    assert cfg.pretty_text == text
    assert not (tmp_path / 'work').exists()
    assert min(measured.seconds, measured.reading, measured.validation, measured.memory) > 0
    assert measured.batch == 2 and measured.checkpoint == (folder / CHECKPOINT).stat().st_size
    content = torch.load(folder / CHECKPOINT, weights_only=True)
    assert content['meta']['iter'] == 2 and 'segmentor' in content['optimizer']


def test_gathered_gradients_make_a_step(minicity, tmp_path):
    cfg = tiny_config('source_only', minicity, tmp_path, **{'optim_wrapper.accumulative_counts': 3})
    assert reduced(cfg, tmp_path).train_cfg.max_iters == 3


def test_an_error_of_the_training_is_raised(minicity, tmp_path):
    cfg = tiny_config('advent', minicity, tmp_path / 'work', **{'model.discriminator.in_channels': 7})
    with pytest.raises(RuntimeError, match='channels'):
        dry_training(cfg, tmp_path)


def test_a_reduced_config_keeps_the_batch_and_reads_one_image(tmp_path):
    cfg = load_config(CONFIGS.parent / 'projects/daformer/configs/gta2city.py', {'val_dataloader.num_workers': 3})
    short = reduced(cfg, tmp_path)
    loader = short.train_dataloader
    assert loader.batch_size == cfg.train_dataloader.batch_size == 2 and loader.num_workers == 0
    assert loader.dataset.source.indices == [0, 0] == loader.dataset.target.indices
    assert loader.sampler.source_policy is None and cfg.train_dataloader.sampler.source_policy is not None
    assert (short.val_dataloader.num_workers, short.val_dataloader.batch_size) == (0, 1)
    assert loader.dataset.source.check_sizes is False and short.work_dir == str(tmp_path)


@pytest.mark.parametrize(
    ('given', 'repeat', 'expected'),
    [
        (None, True, [0, 0]),
        (None, False, [0, 1]),
        ([7, 3, 5], True, [7, 7]),
        ([7, 3, 5], False, [7, 3]),
        (9, False, [0, 1]),
        (-3, False, [-3, -2]),
        (1, False, [0]),
    ],
)
def test_first_images_of_a_data_set(given, repeat, expected):
    node = dict(type='CityscapesDataset', **({} if given is None else dict(indices=given)))
    first_images(node, 2, repeat)
    assert node['indices'] == expected and node.get('check_sizes') is None


def test_a_class_that_takes_no_part_of_its_images_is_not_tried():
    @DATASETS.register_module(force=True)
    class WholeDataset:
        def __init__(self, folder):
            pass

    with pytest.raises(NotTried, match='WholeDataset has no argument indices'):
        first_images(dict(type='WholeDataset', folder='x'), 2)


def test_a_pair_that_is_left_out_is_not_tried(minicity, tmp_path):
    root = shutil.copytree(minicity / 'source', tmp_path / 'source')
    (root / 'labels/00000.png').write_bytes(b'no label')
    node = dict(type='GTA5Dataset', data_root=str(root), mismatched='skip')
    first_images(node, 2, repeat=True)
    names = sorted(path.name for path in (root / 'images').iterdir())
    assert node['indices'] == [1 if names[0] == '00000.png' else 0] * 2 and node['check_sizes'] is False


@pytest.mark.parametrize(
    'given', ['nothing', None, dict(type='CheckpointHook', by_epoch=False, interval=5, out_dir='elsewhere')]
)
def test_checkpoints_stay_in_the_folder(minicity, tmp_path, given):
    cfg = tiny_config('source_only', minicity, tmp_path / 'work')
    if given == 'nothing':
        cfg.pop('default_hooks')
    else:
        cfg.default_hooks.checkpoint = given
    short = reduced(cfg, tmp_path)
    hook = short.default_hooks.checkpoint
    assert hook.type == 'CheckpointHook' and hook.by_epoch is False and 'out_dir' not in hook
    assert (hook.interval, hook.save_last, hook.max_keep_ckpts) == (2, True, 1)
    if given == 'nothing':
        folder = tmp_path / 'dry'
        folder.mkdir()
        assert dry_training(cfg, folder).checkpoint == (folder / CHECKPOINT).stat().st_size


def test_the_work_of_hooks_belongs_to_the_iteration(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr('mmuda.doctor.dry_run.time.perf_counter', lambda: next(clock))
    times = StepTimes()
    end = EndOfStep(times)
    times.before_train(None)
    times.before_train_iter(None, 0)
    times.after_train_iter(None, 0)
    assert times.steps == []
    end.after_train_iter(None, 0)
    assert times.steps == [1] and times.readings == [1]
