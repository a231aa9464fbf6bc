"""The stage for class distributions: one pass over the source, divided among processes and resumable."""

import pytest
import torch
from mmengine.config import ConfigDict
from toolbox import tiny_config

from mmuda.checkpoints.reading import read_checkpoint
from mmuda.datasets import build_dataset
from mmuda.engine.launch import build_runner
from mmuda.models import SDCA
from mmuda.stages import StatisticsStage


@pytest.fixture
def cfg(minicity, tmp_path):
    """Return a config with a source training, the statistics after it, and an adaptation."""
    cfg = tiny_config('sdca', minicity, tmp_path / 'run', iters=1, save=1, **{'statistics.batch_size': 2})
    cfg.stages = ['source', 'statistics', 'adapt']
    cfg.adapt.overrides.train_cfg.update(max_iters=1, val_interval=1)
    return cfg


def statistics_of(state: dict) -> dict:
    return {key: value for key, value in state.items() if '_statistics.' in key}


def reference(runner) -> dict:
    """Return the statistics of all source pixels, computed at once with the trained network."""
    cfg = runner.ctx.stages['adapt'].config(runner.ctx)
    dataset = build_dataset(runner.ctx.base_config().train_dataloader.dataset.source)
    from mmengine.dataset import pseudo_collate
    from mmseg.registry import MODELS

    model = MODELS.build(cfg.model)
    weights = read_checkpoint(runner.ctx.checkpoint('{source}'))['state_dict']
    model.load_state_dict(weights, strict=False)
    model.eval().gather(
        model.data_preprocessor(dict(source=pseudo_collate([dataset[i] for i in range(len(dataset))])))['source']
    )
    return statistics_of(model.state_dict())


def test_statistics_are_gathered_and_handed_on(cfg, tmp_path):
    runner = build_runner(cfg)
    runner.train(only=['source', 'statistics'])
    content = read_checkpoint(tmp_path / 'run/statistics/statistics.pth')['state_dict']
    found, wanted = statistics_of(content), reference(runner)
    assert set(found) == set(wanted) and found['feature_statistics.count'].sum() > 100
    for key in wanted:
        torch.testing.assert_close(found[key], wanted[key], rtol=1e-4, atol=1e-5, msg=key)
    source = read_checkpoint(tmp_path / 'run/source/iter_1.pth')['state_dict']
    assert all(torch.equal(content[key], value) for key, value in source.items()), 'the network must not change'
    assert not list((tmp_path / 'run/statistics').glob('snapshot*'))

    counts = found['feature_statistics.count'].clone()
    build_runner(cfg).train(only=['adapt'])
    after = read_checkpoint(tmp_path / 'run/adapt/iter_1.pth')['state_dict']
    assert after['feature_statistics.count'].sum() > counts.sum(), 'adaptation must continue from these statistics'

    cfg.statistics.weights, cfg.work_dir = str(tmp_path / 'run/statistics/statistics.pth'), str(tmp_path / 'second')
    build_runner(cfg).train(only=['statistics'])
    again = statistics_of(read_checkpoint(tmp_path / 'second/statistics/statistics.pth')['state_dict'])
    assert all(torch.equal(again[key], found[key]) for key in found), 'statistics in the loaded weights must not count'


def test_an_interrupted_pass_goes_on(cfg, tmp_path, monkeypatch):
    cfg.statistics.snapshot_every = 0.0
    build_runner(cfg).train(only=['source'])
    gather, calls = SDCA.gather, []

    def dying(self, batch):
        calls.append(len(batch['inputs']))
        if len(calls) == 3:
            raise KeyboardInterrupt
        gather(self, batch)

    monkeypatch.setattr(SDCA, 'gather', dying)
    with pytest.raises(KeyboardInterrupt):
        build_runner(cfg).train(only=['statistics'])
    assert (tmp_path / 'run/statistics/snapshot_0_of_1.pth').is_file()
    cfg.resume = True
    runner = build_runner(cfg)
    runner.train(only=['statistics'])
    assert calls == [2, 2, 2, 2, 1], 'only the interrupted third batch must be read again'
    found = statistics_of(read_checkpoint(tmp_path / 'run/statistics/statistics.pth')['state_dict'])
    for key, value in reference(runner).items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5, msg=key)


def test_a_model_that_gathers_nothing_is_refused(cfg):
    cfg.statistics.overrides.model = ConfigDict(type='SourceOnly')
    runner = build_runner(cfg)
    with pytest.raises(ValueError, match="stage 'statistics': its model, a SourceOnly, gathers no statistics"):
        runner.train(only=['source', 'statistics'])


def test_settings_name_what_decides(cfg):
    runner = build_runner(cfg)
    stage = runner.ctx.stages['statistics']
    assert isinstance(stage, StatisticsStage) and stage.inputs(runner.ctx) == {'{source}'}
    assert stage.settings(runner.ctx)['model'].type == 'SDCA'


def test_the_model_may_be_that_of_a_later_stage_as_in_earlier_versions(cfg):
    settings = []
    for changes in (dict(), dict(overrides=None, model='adapt')):
        cfg.statistics.update(changes)
        if changes:
            with pytest.warns(FutureWarning, match="stage 'statistics': model='adapt' is deprecated: .* overrides"):
                runner = build_runner(cfg)
        else:
            runner = build_runner(cfg)
        settings.append(runner.ctx.stages['statistics'].settings(runner.ctx))
    assert settings[0] == settings[1]
    with pytest.raises(ValueError, match='give overrides'):
        StatisticsStage('statistics', '{source}')
