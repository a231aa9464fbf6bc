"""A few iterations of a training in a temporary folder."""

import os

import pytest
import torch
from toolbox import CONFIGS, tiny_config

from mmuda.datasets.cache import CACHE_DIR_VARIABLE
from mmuda.doctor.dry_run import CHECKPOINT, dry_training, first_images, reduced
from mmuda.engine.launch import load_config


def test_one_pair_gives_all_figures_and_leaves_nothing_behind(minicity, tmp_path):
    cfg = tiny_config('advent', minicity, tmp_path / 'work')
    text, cache = cfg.pretty_text, os.environ[CACHE_DIR_VARIABLE]
    folder = tmp_path / 'dry'
    folder.mkdir()
    measured = dry_training(cfg, folder)
    assert cfg.pretty_text == text and os.environ[CACHE_DIR_VARIABLE] == cache
    assert not (tmp_path / 'work').exists()
    assert min(measured.seconds, measured.reading, measured.validation, measured.memory) > 0
    assert measured.batch == 2 and measured.checkpoint == (folder / CHECKPOINT).stat().st_size
    content = torch.load(folder / CHECKPOINT, weights_only=True)
    assert content['meta']['iter'] == 2 and 'segmentor' in content['optimizer']


def test_gathered_gradients_make_a_step(minicity, tmp_path):
    cfg = tiny_config('source_only', minicity, tmp_path, **{'optim_wrapper.accumulative_counts': 3})
    assert reduced(cfg, tmp_path).train_cfg.max_iters == 3


def test_an_error_of_the_training_is_raised_and_the_cache_is_put_back(minicity, tmp_path):
    cfg = tiny_config('advent', minicity, tmp_path / 'work', **{'model.discriminator.in_channels': 7})
    cache = os.environ[CACHE_DIR_VARIABLE]
    with pytest.raises(RuntimeError, match='channels'):
        dry_training(cfg, tmp_path)
    assert os.environ[CACHE_DIR_VARIABLE] == cache


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
    ],
)
def test_first_images_of_a_data_set(given, repeat, expected):
    node = dict(type='CityscapesDataset', **({} if given is None else dict(indices=given)))
    first_images(node, 2, repeat)
    assert node['indices'] == expected and node.get('check_sizes') is None
