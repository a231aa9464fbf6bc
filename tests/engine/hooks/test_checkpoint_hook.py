"""When checkpoints are written, and which ones are kept."""

import pytest
from toolbox import tiny_config
from trainings import Dropout, Interrupt, assert_same, final_weights, train

from mmuda.engine.launch import build_runner


def test_old_checkpoints_go_only_when_the_new_one_is_there(minicity, tmp_path, monkeypatch):
    seen = []
    runner = build_runner(tiny_config('source_only', minicity, tmp_path))
    monkeypatch.setattr(type(runner), 'save_checkpoint', _recording(type(runner).save_checkpoint, seen, tmp_path))
    runner.train()
    # two are kept: while the third is written, the first two still exist
    assert seen == [[], ['iter_2.pth'], ['iter_2.pth', 'iter_4.pth']]
    assert sorted(p.name for p in tmp_path.glob('*.pth')) == ['iter_4.pth', 'iter_6.pth']


def _recording(save, seen, folder):
    def wrapped(self, *args, **kwargs):
        seen.append(sorted(p.name for p in folder.glob('*.pth')))
        return save(self, *args, **kwargs)

    return wrapped


def test_saving_the_best_does_not_disturb_resume(minicity, tmp_path):
    best = {'val': 2, '+default_hooks.checkpoint.save_best': 'mIoU'}
    train(tiny_config('advent', minicity, tmp_path / 'whole', **best), Dropout())
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('advent', minicity, tmp_path / 'cut', **best), Dropout(), Interrupt(5))
    cfg = tiny_config('advent', minicity, tmp_path / 'cut', **best)
    cfg.resume = True
    train(cfg, Dropout())
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))


def test_checkpoint_interval_must_fit_accumulation(minicity, tmp_path):
    gather = {'optim_wrapper.accumulative_counts': 2}
    with pytest.raises(ValueError, match='interval=3 must be a multiple of optim_wrapper.accumulative_counts=2'):
        train(tiny_config('source_only', minicity, tmp_path, save=3, **gather))
    with pytest.raises(ValueError, match='val_interval=3 must be a multiple'):
        train(
            tiny_config(
                'source_only', minicity, tmp_path, val=3, **gather, **{'+default_hooks.checkpoint.save_best': 'mIoU'}
            )
        )
    with pytest.raises(ValueError, match='by_epoch=True'):
        train(tiny_config('source_only', minicity, tmp_path, **{'+default_hooks.checkpoint.by_epoch': True}))
