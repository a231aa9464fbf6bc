"""Batch-norm statistics of the target, as a stage of a run."""

import pytest
import torch
from toolbox import tiny_config

from mmuda.checkpoints import read_checkpoint
from mmuda.engine.launch import build_runner
from mmuda.engine.target_batch_norm import write_target_batch_norm
from mmuda.files import file_digest
from mmuda.stages import TargetBatchNorm, target_images


@pytest.fixture
def cfg(minicity, tmp_path):
    """Return a config with a source training, statistics of the target, and a training that starts from them."""
    cfg = tiny_config('source_only', minicity, tmp_path / 'run', iters=1, save=1)
    cfg.runner_type = 'StagedRunner'
    cfg.stages = [
        dict(name='source', type='TrainStage'),
        dict(name='target_bn', type='TargetBatchNorm', weights='{source}', batch_size=2),
        dict(name='further', type='TrainStage', weights='{target_bn}', overrides=dict(train_cfg=dict(max_iters=1))),
    ]
    return cfg


def test_statistics_are_handed_on(cfg, tmp_path):
    runner = build_runner(cfg)
    runner.train()
    source, found, further = (
        read_checkpoint(runner.ctx.checkpoint(f'{{{name}}}'))['state_dict']
        for name in ('source', 'target_bn', 'further')
    )
    network = runner.ctx.network_config('{source}')
    images = target_images(runner.ctx.base_config(), network)
    assert not any('Annotations' in step['type'] for step in images['pipeline'])
    write_target_batch_norm(network, images, tmp_path / 'run/source/iter_1.pth', tmp_path / 'plain.pth', batch_size=2)
    assert file_digest(tmp_path / 'run/target_bn/target_bn.pth') == file_digest(tmp_path / 'plain.pth')
    assert any(not torch.equal(source[key], found[key]) for key in source if 'running_mean' in key)
    assert set(further) == set(source)
    log = (tmp_path / 'run/stages.log').read_text() + ''.join(
        path.read_text() for path in (tmp_path / 'run/further').glob('*/*.log')
    )
    assert 'Loaded weights from' in log and 'target_bn/target_bn.pth' in log


def test_a_finished_stage_is_not_done_again(cfg, tmp_path):
    build_runner(cfg).train(only=['source', 'target_bn'])
    written = (tmp_path / 'run/target_bn/target_bn.pth').stat().st_mtime_ns
    cfg.resume = True
    build_runner(cfg).train(only=['target_bn'])
    assert (tmp_path / 'run/target_bn/target_bn.pth').stat().st_mtime_ns == written


def test_settings_name_what_decides(cfg):
    runner = build_runner(cfg)
    stage = runner.ctx.stages['target_bn']
    assert isinstance(stage, TargetBatchNorm) and stage.inputs(runner.ctx) == {'{source}'}
    settings = stage.settings(runner.ctx)
    assert settings['model'].type == 'SourceOnly' and settings['dataset']['test_mode']


def test_a_run_without_target_images_is_one_clear_error(cfg):
    cfg.train_dataloader.dataset = cfg.train_dataloader.dataset.source
    with pytest.raises(KeyError, match='has no target images in train_dataloader.dataset.target'):
        build_runner(cfg)
