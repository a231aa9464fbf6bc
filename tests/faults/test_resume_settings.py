"""A resumed training has its original settings, or an error names the differences."""

import json

import pytest
import torch
from mmengine.hooks import Hook
from toolbox import tiny_config
from trainings import Interrupt, assert_same, final_weights, train

from mmuda.checkpoints import latest_checkpoint, read_checkpoint, write_checkpoint
from mmuda.engine.resuming import adopt_run
from mmuda.engine.run_record import RunRecord, own_run


def resumed(minicity, work_dir, *allowed: str, iters: int = 4, resume=True, method: str = 'source_only', **options):
    cfg = tiny_config(method, minicity, work_dir, iters=iters, **options)
    cfg.resume, cfg.resume_allow = resume, list(allowed)
    return train(cfg)


@pytest.fixture
def cut(minicity, tmp_path):
    """Interrupt a run of four iterations in the third; its last checkpoint is that of iteration 2."""
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('source_only', minicity, tmp_path / 'cut', iters=4), Interrupt(3))
    return tmp_path / 'cut'


@pytest.mark.parametrize(
    'key, value, line',
    [
        ('optim_wrapper.segmentor.optimizer.lr', 0.5, 'optim_wrapper.segmentor.optimizer.lr: was 0.01, is 0.5'),
        ('optim_wrapper.segmentor.optimizer.momentum', 0.1, 'momentum: was 0.9, is 0.1'),
        ('param_scheduler.0.end', 12, 'param_scheduler.0.end: was 1001, is 12'),
        ('model.loss_weights.seg_main', 2.0, 'model.loss_weights: was null, is {"seg_main": 2.0}'),
        ('model.segmentor.decode_head.dilations', (5, 6), 'model.segmentor.decode_head.dilations'),
        ('model.data_preprocessor.bgr_to_rgb', True, 'model.data_preprocessor.bgr_to_rgb'),
        ('train_dataloader.dataset.target.data_prefix.img_path', 'leftImg8bit/val', 'data_prefix.img_path: was "'),
        ('train_cfg.max_iters', 6, 'train_cfg.max_iters: was 4, is 6'),
        ('randomness.seed', 5, 'randomness.seed: was 0, is 5'),
        ('train_dataloader.batch_size', 1, 'train_dataloader.batch_size: was 2, is 1'),
    ],
)
def test_a_changed_setting_is_refused_and_shown(minicity, cut, key, value, line):
    with pytest.raises(RuntimeError, match='was trained with other settings') as error:
        resumed(minicity, cut, **{key: value})
    told, allow = str(error.value).split('add --allow ')
    assert line in told and any(key.startswith(name) for name in allow.split('. ')[0].split())


def test_a_key_that_may_differ_is_one(minicity, cut):
    with pytest.raises(
        RuntimeError, match='--allow train_cfg.max_itres: .* no such setting; did you mean train_cfg.max'
    ):
        resumed(minicity, cut, 'train_cfg.max_itres')
    assert resumed(minicity, cut, 'optim_wrapper.segmentor.optimizer.lr', 'threads', 'versions.torch').iter == 4


def test_a_complete_training_says_so(minicity, tmp_path, capsys):
    train(tiny_config('source_only', minicity, tmp_path, iters=2))
    assert 'the training is complete' not in capsys.readouterr().out
    assert resumed(minicity, tmp_path, iters=2).iter == 2
    assert 'the training is complete: ' in (told := capsys.readouterr().out) and 'its iteration 2 of 2' in told


def test_another_method_threads_and_fewer_images_are_refused(minicity, cut, monkeypatch):
    with pytest.raises(RuntimeError, match='model.type: was "SourceOnly", is "AdaBN"'):
        resumed(minicity, cut, method='adabn')
    with pytest.raises(RuntimeError, match='data.source: was "7 samples'):
        resumed(minicity, cut, **{'+train_dataloader.dataset.source.indices': [0, 1, 2]})
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 99)
    with pytest.raises(RuntimeError, match='threads: was [0-9]+, is 99'):
        resumed(minicity, cut)


def test_workers_moved_data_and_evaluation_may_change(minicity, cut, tmp_path):
    moved = tmp_path / 'elsewhere'
    moved.symlink_to(minicity)
    options = {
        'train_dataloader.num_workers': 1,
        'val_dataloader.batch_size': 2,
        'default_hooks.checkpoint.interval': 4,
    }
    assert resumed(moved, cut, **options).iter == 4


def test_a_longer_schedule_goes_on_as_if_it_had_always_been_so(minicity, tmp_path):
    """Learning rates after a longer schedule was allowed are those of a run with this schedule from its start."""
    options = {'param_scheduler.0.end': 5, 'optim_wrapper.segmentor.optimizer.lr': 0.02}
    train(tiny_config('source_only', minicity, tmp_path, iters=4, **options))
    longer = {**options, 'param_scheduler.0.end': 9}
    with pytest.raises(RuntimeError, match='train_cfg.max_iters: was 4, is 8'):
        resumed(minicity, tmp_path, iters=8, **longer)
    rates: dict[int, float] = {}

    class Rates(Hook):
        def before_train_iter(self, runner, *args, **kwargs):
            rates[runner.iter] = runner.optim_wrapper['segmentor'].param_groups[0]['lr']

    cfg = tiny_config('source_only', minicity, tmp_path, iters=8, **longer)
    cfg.resume, cfg.resume_allow = True, ['train_cfg.max_iters', 'param_scheduler']
    train(cfg, Rates())
    found, rates = rates, {}
    train(tiny_config('source_only', minicity, tmp_path / 'whole', iters=8, **longer), Rates())
    assert found and found == pytest.approx({step: rates[step] for step in found}, rel=1e-12)
    assert all(rate > 0 for rate in found.values())


def test_an_allowed_rate_is_used_and_the_rest_stays(minicity, cut):
    key = 'optim_wrapper.segmentor.optimizer.lr'
    runner = resumed(minicity, cut, key, **{key: 0.5})
    group = runner.optim_wrapper['segmentor'].param_groups[0]
    assert group['initial_lr'] in (0.5, 5.0) and group['lr'] > 0.4
    settings = read_checkpoint(latest_checkpoint(cut))['meta']['training']['settings']
    assert settings['optim_wrapper']['segmentor']['optimizer']['lr'] == 0.5, (
        'the new value must be stored for the next resume'
    )


def test_another_optimizer_begins_without_a_state(minicity, cut):
    optimizer = dict(type='Adam', lr=0.001)
    key = 'optim_wrapper.segmentor.optimizer'
    cfg = tiny_config('source_only', minicity, cut, iters=4)
    cfg.optim_wrapper.segmentor.optimizer = optimizer
    cfg.resume = True
    with pytest.raises(RuntimeError, match='optimizer.type'):
        train(cfg.copy())
    cfg.resume_allow = [key]
    assert train(cfg).iter == 4


def test_a_drawn_seed_is_taken_over(minicity, tmp_path):
    options = {'randomness.seed': None}
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('source_only', minicity, tmp_path, iters=4, **options), Interrupt(3))
    drawn = read_checkpoint(latest_checkpoint(tmp_path))['meta']['seed']
    runner = resumed(minicity, tmp_path, **options)
    assert runner.seed == drawn
    train(tiny_config('source_only', minicity, tmp_path / 'whole', iters=4, **{'randomness.seed': drawn}))
    assert_same(final_weights(tmp_path), final_weights(tmp_path / 'whole'))


def test_a_new_run_that_was_killed_early_does_not_end_as_the_old_one(minicity, tmp_path, monkeypatch):
    train(tiny_config('source_only', minicity, tmp_path, iters=4))
    old = final_weights(tmp_path)
    with monkeypatch.context() as patched:  # killed while the runner is built
        patched.setattr('mmuda.engine.runner.AdaptationRunner.build_train_loop', _killed)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_config('source_only', minicity, tmp_path, iters=4))
    assert latest_checkpoint(tmp_path) is not None, 'the checkpoint of the old run must remain'
    assert resumed(minicity, tmp_path).iter == 4
    (aside,) = tmp_path.glob('before_*')
    assert (aside / 'iter_4.pth').is_file()
    # Equal weights by a new training with the same settings; the record shows the new run.
    assert_same(old, final_weights(tmp_path))
    run = json.loads((tmp_path / 'run.json').read_text())['run']
    assert read_checkpoint(latest_checkpoint(tmp_path))['meta']['run'] == run
    assert read_checkpoint(aside / 'iter_4.pth')['meta']['run'] != run


def test_a_start_that_fails_leaves_the_earlier_run_to_be_resumed(minicity, tmp_path, monkeypatch):
    """After an error at the start of a new run, such as an unknown optimizer, the old run can still be resumed."""
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('source_only', minicity, tmp_path, iters=4), Interrupt(3))
    with monkeypatch.context() as patched:
        patched.setattr('mmuda.engine.runner.AdaptationRunner.build_train_loop', _failing)
        with pytest.raises(RuntimeError, match='no such loop'):
            train(tiny_config('source_only', minicity, tmp_path, iters=4))
    assert latest_checkpoint(tmp_path).endswith('iter_2.pth')
    assert resumed(minicity, tmp_path).iter == 4
    assert not list(tmp_path.glob('before_*')), 'it must resume the old run instead of starting a new one'


def test_a_run_that_continues_from_another_folder_keeps_its_record_when_it_fails(tmp_path):
    """Its checkpoints belong to the new run, not to the earlier run whose checkpoints were moved aside."""
    work_dir = tmp_path / 'here'
    work_dir.mkdir()
    record = RunRecord(work_dir)
    record.begin()
    record.settle()
    (work_dir / 'iter_2.pth').touch()
    with pytest.raises(ZeroDivisionError), own_run(work_dir, resume=str(tmp_path / 'iter_4.pth')):
        run = adopt_run(work_dir, str(tmp_path / 'iter_4.pth'), 4, {})
        raise ZeroDivisionError
    assert run != record.run and RunRecord(work_dir).run == run
    assert not (work_dir / 'iter_2.pth').exists()


def test_a_failed_start_in_an_empty_folder_leaves_no_record(minicity, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr('mmuda.engine.runner.AdaptationRunner.build_train_loop', _failing)
        with pytest.raises(RuntimeError, match='no such loop'):
            train(tiny_config('source_only', minicity, tmp_path, iters=4))
    assert not (tmp_path / 'run.json').exists()


def test_evaluating_after_training_leaves_its_checkpoints(minicity, tmp_path):
    runner = train(tiny_config('source_only', minicity, tmp_path, iters=2, val=2))
    runner.val()
    assert latest_checkpoint(tmp_path).endswith('iter_2.pth') and not list(tmp_path.glob('before_*'))


def _failing(*args, **kwargs):
    raise RuntimeError('no such loop')


def _killed(*args, **kwargs):
    raise KeyboardInterrupt


def test_the_best_checkpoint_says_why_it_cannot_be_resumed(minicity, tmp_path):
    best = {'+default_hooks.checkpoint.save_best': 'mIoU'}
    train(tiny_config('source_only', minicity, tmp_path, iters=2, val=2, **best))
    (path,) = tmp_path.glob('best_*.pth')
    with pytest.raises(RuntimeError, match=r'best checkpoint is kept for tests\).*resume from .*iter_2.pth'):
        resumed(minicity, tmp_path / 'other', iters=2, val=2, resume=str(path), **best)


def test_a_new_run_sets_the_best_aside_too(minicity, tmp_path):
    best = {'+default_hooks.checkpoint.save_best': 'mIoU'}
    train(tiny_config('source_only', minicity, tmp_path, iters=2, val=2, **best))
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('source_only', minicity, tmp_path, iters=2, val=2, **best), Interrupt(1))
    assert not list(tmp_path.glob('*.pth')) and len(list(tmp_path.glob('before_*/*.pth'))) == 2


def test_a_run_goes_back_to_an_earlier_checkpoint(minicity, tmp_path):
    keep = {'default_hooks.checkpoint.max_keep_ckpts': 5}
    train(tiny_config('source_only', minicity, tmp_path, iters=6, **keep))
    whole = final_weights(tmp_path)
    cfg = tiny_config('source_only', minicity, tmp_path, iters=6, **keep)
    cfg.resume = str(tmp_path / 'iter_2.pth')
    with pytest.raises(KeyboardInterrupt):
        train(cfg, Interrupt(3))
    assert latest_checkpoint(tmp_path).endswith('iter_2.pth'), (
        'later checkpoints must be moved away, or a resume would use them'
    )
    assert resumed(minicity, tmp_path, iters=6, **keep).iter == 6
    assert_same(whole, final_weights(tmp_path))


def test_a_validation_that_was_cut_off_is_made_up_for(minicity, tmp_path):
    best = {'+default_hooks.checkpoint.save_best': 'mIoU'}

    class CutOff(Hook):
        def before_val_iter(self, runner, batch_idx, **kwargs):
            if runner.iter == 2 and batch_idx == 1:
                raise KeyboardInterrupt

    def config(name):
        return tiny_config('source_only', minicity, tmp_path / name, iters=4, val=2, **best)

    train(config('whole'))
    with pytest.raises(KeyboardInterrupt):
        train(config('cut'), CutOff())
    cfg = config('cut')
    cfg.resume = True
    train(cfg)
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))
    scores = [_best(read_checkpoint(latest_checkpoint(tmp_path / name))) for name in ('whole', 'cut')]
    assert scores[0] == scores[1]
    names = [sorted(path.name for path in (tmp_path / name).glob('best_*')) for name in ('whole', 'cut')]
    assert names[0] == names[1] != []


def _best(checkpoint):
    info = checkpoint['message_hub']['runtime_info']
    return info['best_score'], info['best_ckpt'].rsplit('/', 1)[-1]


def test_checkpoints_that_a_kill_left_behind_are_removed(minicity, tmp_path, monkeypatch):
    """A resumed run removes old checkpoints that a kill has left after the new one was written."""
    from mmuda.engine.hooks import AdaptationCheckpointHook

    whole = AdaptationCheckpointHook._remove
    monkeypatch.setattr(
        AdaptationCheckpointHook, '_remove', lambda self, old: _killed() if list(old) else whole(self, old)
    )
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('source_only', minicity, tmp_path, iters=8))
    assert len(list(tmp_path.glob('iter_*'))) == 3
    monkeypatch.undo()
    resumed(minicity, tmp_path, iters=8)
    assert sorted(path.name for path in tmp_path.glob('iter_*')) == ['iter_6.pth', 'iter_8.pth']


def test_a_checkpoint_of_an_earlier_version_is_resumed_with_a_warning(minicity, cut, capsys):
    path = latest_checkpoint(cut)
    content = read_checkpoint(path)
    del content['meta']['run']
    content['meta']['training'] = dict(world_size=1, batch_size=2, accumulative_counts=1, precision='None')
    write_checkpoint(path, content)
    (cut / 'run.json').unlink()
    with pytest.raises(RuntimeError, match='randomness.seed: was 0, is 5'):
        resumed(minicity, cut, **{'randomness.seed': 5})
    assert resumed(minicity, cut).iter == 4
    assert 'written by an earlier version of mmuda' in capsys.readouterr().out
