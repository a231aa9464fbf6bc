"""Reading of the scalars that a run has logged."""

import json
import math

import pytest
from mmengine.visualization import LocalVisBackend

from mmuda.visualization import read_scalars


def log(folder, *records):
    """Write scalars as a run does; return the file."""
    backend = LocalVisBackend(str(folder / 'vis_data'))
    for record in records:
        backend.add_scalars(record, step=record['step'])
    return folder / 'vis_data' / 'scalars.json'


def test_resumed_runs_are_merged(tmp_path):
    log(
        tmp_path / '20240101_000000',
        dict(loss=3.0, lr=0.1, iter=10, step=10),
        dict(loss=2.0, lr=0.1, iter=20, step=20),
        dict(loss=9.0, lr=0.1, iter=30, step=30),
    )
    log(
        tmp_path / '20240102_000000',
        dict(loss=1.0, lr=0.1, iter=30, step=30),
        dict(mIoU=float('nan'), time=5.0, step=30),
    )
    found = read_scalars(tmp_path)
    assert found['loss'] == ([10, 20, 30], [3.0, 2.0, 1.0])
    assert found['mIoU'][0] == [30] and math.isnan(found['mIoU'][1][0])
    assert set(found) == {'loss', 'lr', 'mIoU'}


def test_a_torn_last_line_is_left_out(tmp_path):
    log(tmp_path / '1', dict(loss=3.0, step=10))
    path = tmp_path / '1' / 'vis_data' / 'scalars.json'
    path.write_text(path.read_text() + '{"loss": 2.0, "st')
    assert read_scalars(tmp_path)['loss'] == ([10], [3.0])
    path.write_text(path.read_text() + '\n' + json.dumps(dict(loss=1.0, step=20)) + '\n')
    with pytest.raises(ValueError, match='scalars.json, line 2 is not JSON'):
        read_scalars(tmp_path)


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        read_scalars(tmp_path)
    log(tmp_path / '1', dict(loss=3.0, step=10))
    path = tmp_path / '1' / 'vis_data' / 'scalars.json'
    path.write_text('{"loss": 1.0}\n')
    with pytest.raises(ValueError, match='line 1.*"step"'):
        read_scalars(tmp_path)


def train(step, loss):
    return dict(loss=loss, time=0.5, iter=step, step=step)


def test_timings_of_validation_do_not_replace_those_of_training(tmp_path):
    log(tmp_path / '20260101_000000', train(4, 1.0), dict(mIoU=30.0, time=9.0, data_time=8.0, step=4))
    assert read_scalars(tmp_path) == dict(loss=([4], [1.0]), mIoU=([4], [30.0]), time=([4], [0.5]))


def test_the_newest_folder_wins_by_name_and_steps_are_sorted(tmp_path):
    # Written in the wrong order on purpose: the name of a folder decides, not the time of its file.
    log(tmp_path / '20260102_000000', train(6, 0.6), train(4, 0.4))
    log(tmp_path / '20260101_000000', train(2, 9.2), train(4, 9.4))
    assert read_scalars(str(tmp_path))['loss'] == ([2, 4, 6], [9.2, 0.4, 0.6])


@pytest.mark.parametrize('keep', [1, 20, -2])
def test_a_last_line_torn_anywhere_is_skipped(tmp_path, keep):
    path = log(tmp_path / '20260101_000000', train(2, 1.5), train(4, 1.0))
    first, second = path.read_text().splitlines()
    path.write_text(first + '\n' + second[:keep])
    assert read_scalars(tmp_path)['loss'] == ([2], [1.5])


@pytest.mark.parametrize('line', ['{"loss": 1.', '[1, 2]', '{"loss": 1.0, "step": "two"}'])
def test_a_broken_line_before_the_last_is_an_error(tmp_path, line):
    path = log(tmp_path / '20260101_000000', train(4, 1.0))
    path.write_text(line + '\n' + path.read_text())
    with pytest.raises(ValueError, match=r'scalars\.json, line 1 '):
        read_scalars(tmp_path)
