"""LabelFreeHook in small trainings."""

import json

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from toolbox import tiny_config
from trainings import Interrupt, train

from mmuda.checkpoints import latest_checkpoint
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.evaluation import LabelFreeHook


class Metrics(Hook):
    """A hook that records the results of all validations."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.found: list[dict] = []

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.found.append(dict(metrics))


def run(method: str, minicity, work_dir, *hooks, **options) -> list[dict]:
    """Train and return the results of all validations."""
    kept = Metrics()
    train(tiny_config(method, minicity, work_dir, iters=6, val=2, **options), kept, *hooks)
    return kept.found


def scalars(work_dir) -> list[dict]:
    lines = [line for file in work_dir.glob('*/vis_data/scalars.json') for line in file.read_text().splitlines()]
    return [found for found in map(json.loads, lines) if 'mIoU' in found]


def test_every_validation_has_scores_and_means(minicity, tmp_path):
    found = run('advent', minicity, tmp_path)
    assert len(found) == 3
    assert all(
        {'mIoU', 'label_free/entropy', 'label_free/class_shift', 'label_free/share/sky'} < set(one) for one in found
    )
    assert not any('label_free/agreement' in one for one in found)
    last = scalars(tmp_path)[-1]
    values = [one['label_free/IM'] for one in found]
    assert last['label_free/IM/mean'] == pytest.approx(np.mean(values))
    assert last['label_free/IM/deviation'] == pytest.approx(np.std(values, ddof=1))
    assert last['mIoU/mean'] == pytest.approx(np.mean([one['mIoU'] for one in found]))
    (log,) = tmp_path.glob('*/*.log')
    assert 'iteration 6: mIoU' in log.read_text()


def test_one_key_switches_the_scores_off(minicity, tmp_path):
    found = run('advent', minicity, tmp_path, **{'default_hooks.label_free': None})
    assert len(found) == 3 and not any('label_free' in name for one in found for name in one)


def test_a_teacher_is_compared(minicity, tmp_path):
    found = run(
        'dacs',
        minicity,
        tmp_path,
        **{'model.teacher.decay': 0.0, 'model.teacher.batch_norm': 'running', 'model.teacher.buffers': 'copied'},
    )
    # With a decay of 0, the teacher equals the segmentor.
    assert [one['label_free/agreement'] for one in found] == [100, 100, 100]
    off = run('dacs', minicity, tmp_path / 'off', **{'default_hooks.label_free.teacher': False})
    assert not any('label_free/agreement' in one for one in off)


@pytest.mark.parametrize(('score', 'pick'), [('label_free/entropy', min), ('label_free/SND', max)])
def test_save_best_knows_the_better_values(minicity, tmp_path, score, pick):
    found = run('source_only', minicity, tmp_path, **{'default_hooks.checkpoint.save_best': score})
    values = [one[score] for one in found]
    assert len(set(values)) == 3
    (best,) = tmp_path.glob('best_*.pth')
    assert best.name == f'best_{score.replace("/", "_")}_iter_{2 * (values.index(pick(values)) + 1)}.pth'


def test_a_resumed_run_goes_on(minicity, tmp_path):
    """Scores and class counts of a resumed run equal those of an uninterrupted one."""
    whole = run('advent', minicity, tmp_path / 'whole')
    with pytest.raises(KeyboardInterrupt):
        run('advent', minicity, tmp_path / 'parts', Interrupt(after=5))
    resumed = run('advent', minicity, tmp_path / 'parts', **{'+resume': True})
    assert resumed[-1] == pytest.approx(whole[-1], rel=0, abs=0, nan_ok=True)
    counts = [read_checkpoint(latest_checkpoint(tmp_path / name))['source_class_counts'] for name in ('whole', 'parts')]
    assert counts[0].tolist() == counts[1].tolist() and counts[0].sum() == 6 * 2 * 12 * 16


class Hub:
    """A fake message hub with given scalars."""

    def __init__(self, histories: dict) -> None:
        self.histories = histories

    def get_scalar(self, name):
        class History:
            data = np.array(self.histories[name.removeprefix('val/')]), None

        return History

    def update_scalar(self, name, value) -> None:
        pass


class Logger:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def info(self, text) -> None:
        pass

    def warning(self, text) -> None:
        self.warnings.append(text)


def warnings_of(source: list[int] | None = None, **shares: list[float]) -> list[str]:
    """Return the warnings after a validation with these histories of class shares in percent.

    Source labels are those that a checkpoint has counted: pixels by class.
    """
    histories = {f'label_free/share/{name}': values for name, values in shares.items()}
    histories['label_free/entropy'] = [0.5] * len(shares['road'])

    class Run:
        message_hub, logger, iter = Hub(histories), Logger(), 4000

    hook = LabelFreeHook()
    if source is not None:
        hook.after_load_checkpoint(Run, dict(source_class_counts=torch.tensor([*source, *[0] * (256 - len(source))])))
    hook.after_val_epoch(Run, {name: values[-1] for name, values in histories.items()})
    return Run.logger.warnings


def test_a_class_that_vanishes_is_named_once():
    (warning,) = warnings_of(road=[60, 70], car=[40, 29.9], sky=[10, 0.1])
    assert 'iteration 4000' in warning and 'vanished: sky (0.10%' in warning and '10.00% before' in warning
    assert not warnings_of(road=[60, 70, 70], car=[40, 30, 30], sky=[10, 0.1, 0.1])


def test_shares_of_the_source_are_those_of_its_training_images():
    (warning,) = warnings_of(source=[30, 70], road=[60, 85], car=[40, 15])
    assert 'road (85.00% of the predicted pixels, 30.00% of the source as training draws it)' in warning


def test_a_class_that_takes_over_is_named_once():
    (warning,) = warnings_of(road=[60, 95], car=[40, 5])
    assert 'iteration 4000: a class takes over: road (95.00%' in warning
    assert not warnings_of(road=[95, 96], car=[5, 4])
    assert len(warnings_of(road=[95], car=[5])) == 1


@pytest.mark.parametrize('options', [dict(last=1), dict(vanished=1.0), dict(taken_over=0.0)])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match='LabelFreeHook'):
        LabelFreeHook(**options)
