"""Dry runs of the stages of a method, each with a few images."""

import pytest
from toolbox import tiny_config

from mmuda.doctor.dry_stages import try_stages
from mmuda.doctor.rows import ERROR, SKIPPED, WARNING
from mmuda.registry import STAGES
from mmuda.stages import Stage


@STAGES.register_module()
class LongStage(Stage):
    """A stage without images, which a dry run must not execute."""

    def settings(self, ctx):
        return {}

    def execute(self, ctx, folder, resume):
        raise AssertionError('it may take long')


def test_each_stage_gets_what_those_before_it_made(minicity, tmp_path):
    cfg = tiny_config('intrada', minicity, tmp_path / 'work')
    tried = {one.name: one for one in try_stages(cfg, tmp_path / 'dry')}
    assert list(tried) == ['inter', 'rank', 'label', 'intra'] and not any(one.reason for one in tried.values())
    assert tried['inter'].measured.seconds > 0 and tried['intra'].measured.checkpoint > 0
    assert tried['inter'].config.train_cfg.max_iters == 6
    assert (tried['rank'].images, tried['rank'].chosen, tried['rank'].labels) == (5, False, False)
    assert (tried['label'].images, tried['label'].chosen, tried['label'].labels) == (5, True, True)
    assert not (tmp_path / 'work').exists()


def test_later_rounds_are_like_the_first(minicity, tmp_path):
    cfg = tiny_config('cbst', minicity, tmp_path / 'work', **{'rounds.num_rounds': 2})
    tried = {one.name: one for one in try_stages(cfg, tmp_path / 'dry')}
    first, second = tried['rounds/0/train'], tried['rounds/1/train']
    assert second.like == 'rounds/0/train' and second.measured == first.measured and not first.like
    # Four epochs in batches of 2, with all 7 source images and the 5 target images with pseudo labels.
    assert first.config.train_cfg.max_iters == 4 * ((7 + 5) // 2)


@pytest.mark.parametrize('broken', [False, True])
def test_a_stage_that_was_not_tried_says_why(minicity, tmp_path, broken):
    options = {'+other': dict(type='LongStage'), 'stages': ['other', 'inter', 'rank', 'label', 'intra']}
    if broken:
        options['model.discriminator.in_channels'] = 7
    cfg = tiny_config('intrada', minicity, tmp_path / 'work', **options)
    if not broken:
        cfg.stages = ['other']
    tried = {one.name: one for one in try_stages(cfg, tmp_path / 'dry')}
    assert 'cannot be cut to a few images' in tried['other'].reason and tried['other'].verdict == SKIPPED
    if broken:
        assert tried['inter'].verdict == ERROR and 'channels' in tried['inter'].reason
        assert tried['rank'].reason == 'it needs results of inter' and tried['rank'].verdict == SKIPPED


@STAGES.register_module()
class FailingStage(Stage):
    """A stage that needs the results of the first one and raises an error."""

    def __init__(self, name, error, weights, dataset):
        super().__init__(name)
        self.error, self.weights, self.dataset = error, weights, dataset

    def settings(self, ctx):
        return dict(dataset=self.dataset, weights=self.weights)

    def execute(self, ctx, folder, resume):
        assert self.dataset['indices'] == [0, 1, 2]
        raise RuntimeError(self.error)


def test_errors_of_later_stages(minicity, tmp_path):
    cfg = tiny_config('intrada', minicity, tmp_path / 'work')
    cfg.stages = ['inter', 'few', 'memory', 'intra']
    failing = dict(type='FailingStage', weights='{inter}', dataset=cfg.train_dataloader.dataset.target)
    cfg.few, cfg.memory = dict(failing, error='too few images'), dict(failing, error='CUDA out of memory')
    cfg.intra = dict(
        type='TrainStage', weights='{inter}', overrides=dict(model=dict(discriminator=dict(in_channels=7)))
    )
    tried = {one.name: one for one in try_stages(cfg, tmp_path / 'dry')}
    assert not tried['inter'].reason
    assert tried['few'].verdict == WARNING and tried['few'].reason == 'too few images'
    assert tried['memory'].verdict == ERROR
    assert tried['intra'].verdict == ERROR and 'does not fit' in tried['intra'].reason


@STAGES.register_module()
class SlowStart(Stage):
    """A stage with a simulated time of ten seconds for its start and two seconds for each image."""

    clock = 0.0

    def __init__(self, name, dataset, sample=None):
        super().__init__(name)
        self.dataset, self.sample = dataset, sample

    def settings(self, ctx):
        return dict(dataset=self.dataset, sample=self.sample)

    def execute(self, ctx, folder, resume):
        SlowStart.clock += 10 + 2 * len(self.dataset['indices'])
        return {}


@pytest.mark.parametrize(('sample', 'images'), [(None, 5), (3, 3), (48, 5)])
def test_seconds_for_an_image_are_without_the_beginning(minicity, tmp_path, monkeypatch, sample, images):
    monkeypatch.setattr('mmuda.doctor.dry_stages.time.perf_counter', lambda: SlowStart.clock)
    cfg = tiny_config('intrada', minicity, tmp_path / 'work')
    cfg.stages, cfg.slow = ['slow'], dict(type='SlowStart', dataset=cfg.train_dataloader.dataset.target, sample=sample)
    (tried,) = try_stages(cfg, tmp_path / 'dry')
    assert not tried.reason and (tried.seconds, tried.images) == (2.0, images)
