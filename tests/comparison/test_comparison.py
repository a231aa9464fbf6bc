"""Comparisons whose trainings and tests are real processes with fake scripts."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from compared import calls_of, fake_tools, tiny_runs
from toolbox import CONFIGS

from mmuda.checks import check_config
from mmuda.comparison import Comparison, RunLedger, gather, load_methods, plan_runs
from mmuda.comparison.comparison import commit_of
from mmuda.engine.launch import load_config
from mmuda.owner import only_user


def compared(runs, folder, tools, **options) -> tuple[Comparison, list[str]]:
    said: list[str] = []
    comparison = Comparison(runs, RunLedger(folder), tools, ('stored', 'target'), say=said.append, **options)
    comparison.execute()
    return comparison, said


@pytest.fixture
def tools(tmp_path):
    return fake_tools(tmp_path / 'tools')


@pytest.mark.parametrize('jobs', [1, 3])
def test_every_run_is_trained_and_tested_once(minicity, tmp_path, tools, jobs):
    work = tmp_path / 'work'
    runs = tiny_runs(minicity, work, 'source_only', 'adabn', 'advent')
    comparison, said = compared(runs, work, tools, jobs=jobs)
    assert comparison.failures == {} and all(calls_of(run) == ['train', 'stored', 'target'] for run in runs)
    assert sum('20.5 (stored), 30.5 (target)' in line for line in said) == 1, said
    for run in runs:
        steps = ('training', 'testing (stored statistics)', 'testing (target statistics)')
        logs = ('train.log', 'test.log', 'test.log')
        wanted = [f'{run.name}: {step}, see {run.folder / log}' for step, log in zip(steps, logs, strict=True)]
        assert [line for line in said if line.startswith(f'{run.name}: ')] == wanted
    ledger = RunLedger(work)
    for run in runs:
        entry = ledger.entry(run)
        assert entry['state'] == 'trained' and entry['checkpoint'] == 'iter_6.pth' and entry['iterations'] == 6
        assert entry['seconds'] > 0 and entry['memory']['gpu'] == 321 and entry['memory']['process'] > 5
        assert run.config.is_file() and f'seed={run.seed}' in run.config.read_text()
    _, again = compared(runs, work, tools, jobs=jobs)
    assert all(calls_of(run) == ['train', 'stored', 'target'] for run in runs), 'finished runs must not start again'
    assert len(again) == len(runs) and all('done before' in line for line in again)
    results = gather(runs, RunLedger(work), ('stored', 'target'))
    assert results.best_baseline.name == 'adabn/minicity, target statistics'


def test_more_seeds_and_methods_are_added(minicity, tmp_path, tools):
    work = tmp_path / 'work'
    compared(tiny_runs(minicity, work, 'adabn', seeds=[0]), work, tools)
    runs = tiny_runs(minicity, work, 'adabn', 'source_only', seeds=[0, 1])
    compared(runs, work, tools)
    assert all(calls_of(run) == ['train', 'stored', 'target'] for run in runs)


def test_a_failure_does_not_stop_the_others(minicity, tmp_path, tools):
    work = tmp_path / 'work'
    runs = tiny_runs(minicity, work, 'source_only', 'adabn', seeds=[0])
    runs[0].method.cfg.load_from = 'FAIL'
    comparison, said = compared(runs, work, tools)
    assert list(comparison.failures) == ['source_only/minicity/seed_0']
    assert 'exit status 1' in comparison.failures['source_only/minicity/seed_0']
    assert 'no such file: labels.txt' in said[1] and calls_of(runs[1]) == ['train', 'stored', 'target']
    results = gather(runs, RunLedger(work), ('stored', 'target'))
    assert [reading.method.name for reading in results.readings] == ['adabn/minicity'] * 2
    assert any(
        'source_only/minicity (stored statistics) has no result of the seeds 0' in note for note in results.notes
    )
    corrected = tiny_runs(minicity, work, 'source_only', 'adabn', seeds=[0])
    comparison, _ = compared(corrected, work, tools)
    assert comparison.failures == {} and calls_of(runs[0]) == ['train', 'train', 'stored', 'target']
    assert calls_of(runs[1]) == ['train', 'stored', 'target']


def test_other_settings_are_one_clear_error(minicity, tmp_path, tools):
    work = tmp_path / 'work'
    compared(tiny_runs(minicity, work, 'adabn', seeds=[0]), work, tools)
    (changed,) = tiny_runs(minicity, work, 'adabn', seeds=[0])
    changed.method.cfg.model.segmentor.decode_head.dilations = (1, 2)
    with pytest.raises(RuntimeError, match='adabn/minicity/seed_0 was trained with other settings(.|\n)*dilations'):
        compared([changed], work, tools)


def test_another_test_is_done_again(minicity, tmp_path, tools):
    work = tmp_path / 'work'
    compared(tiny_runs(minicity, work, 'adabn', seeds=[0]), work, tools)
    (run,) = tiny_runs(minicity, work, 'adabn', seeds=[0])
    run.method.cfg.test_evaluator.iou_metrics = ['mIoU', 'mDice']
    compared([run], work, tools)
    assert calls_of(run) == ['train', 'stored', 'target', 'stored', 'target'], 'only the tests must run again'


def test_images_of_another_root_are_tested_again(minicity, tmp_path, tools):
    work = tmp_path / 'work'
    compared(tiny_runs(minicity, work, 'adabn', seeds=[0]), work, tools)
    (run,) = tiny_runs(minicity, work, 'adabn', seeds=[0])
    run.method.cfg.test_dataloader.dataset.data_root = '/other/city'
    compared([run], work, tools)
    assert calls_of(run) == ['train', 'stored', 'target', 'stored', 'target'], 'only the tests must run again'
    assert '/other/city' in run.config.read_text(), 'the test must read the changed config'


def test_tests_of_another_training_do_not_count(minicity, tmp_path, tools):
    """A training with changed settings starts with an empty entry: costs and tests of the earlier one do not count."""
    work = tmp_path / 'work'
    compared(tiny_runs(minicity, work, 'adabn', seeds=[0]), work, tools)
    (run,) = tiny_runs(minicity, work, 'adabn', seeds=[0])
    (run.folder / 'iter_6.pth').unlink()
    before = RunLedger(work).entry(run)
    run.method.cfg.optim_wrapper.segmentor.optimizer.lr = 0.5
    comparison, _ = compared([run], work, tools)
    assert comparison.failures == {} and calls_of(run) == ['train', 'stored', 'target'] * 2
    entry = RunLedger(work).entry(run)
    assert entry['settings'] != before['settings'] and entry['state'] == 'trained'
    ledger = RunLedger(work)
    ledger.add_costs(run, 1e4, {})
    (run.folder / 'iter_6.pth').unlink()
    run.__dict__.pop('settings')
    run.method.cfg.optim_wrapper.segmentor.optimizer.lr = 0.25
    ledger.begin(run, 'later')
    entry = ledger.entry(run)
    assert (entry['seconds'], entry['commit'], entry['tests']) == (0.0, 'later', {}) and 'checkpoint' not in entry


def test_the_same_training_done_again_is_tested_again(minicity, tmp_path, tools):
    work = tmp_path / 'work'
    compared(tiny_runs(minicity, work, 'adabn', seeds=[0]), work, tools)
    (run,) = tiny_runs(minicity, work, 'adabn', seeds=[0])
    (run.folder / 'iter_6.pth').unlink()
    compared([run], work, tools)
    assert calls_of(run) == ['train', 'stored', 'target'] * 2


def test_roots_of_all_attempts_are_kept(minicity, tmp_path):
    (run,) = tiny_runs(minicity, tmp_path, 'adabn', seeds=[0])
    ledger = RunLedger(tmp_path)
    ledger.begin(run, 'abc')
    run.folder.mkdir(parents=True)
    place = 'train_dataloader.dataset.source'
    assert ledger.entry(run)['roots'][place] == [str(minicity / 'source')]
    (moved,) = tiny_runs(minicity, tmp_path, 'adabn', seeds=[0])
    moved.method.cfg.train_dataloader.dataset.source.data_root = '/moved'
    ledger = RunLedger(tmp_path)
    ledger.check(moved)
    ledger.begin(moved, 'abc')
    assert ledger.entry(moved)['roots'][place] == [str(minicity / 'source'), '/moved']


def test_children_import_what_this_process_can(minicity, tmp_path, tools, monkeypatch):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere/plug_in_of_a_test.py').touch()
    monkeypatch.syspath_prepend(tmp_path / 'elsewhere')
    for script in ('train.py', 'test.py'):
        (tools / script).write_text('import plug_in_of_a_test\n' + (tools / script).read_text())
    work = tmp_path / 'work'
    comparison, _ = compared(tiny_runs(minicity, work, 'adabn', seeds=[0]), work, tools)
    assert comparison.failures == {}


def test_a_folder_of_somebody_else_is_left_alone(minicity, tmp_path, tools):
    work = tmp_path / 'work'
    (run,) = tiny_runs(minicity, work, 'adabn', seeds=[0])
    run.folder.mkdir(parents=True)
    comparison, _ = compared([run], work, tools)
    assert 'is not from this comparison: move it away' in comparison.failures[run.name] and calls_of(run) == []


def test_statistics_that_a_network_lacks_are_not_asked_for(minicity, tmp_path, tools):
    work = tmp_path / 'work'
    runs = tiny_runs(minicity, work, 'adabn', seeds=[0])
    runs[0].method.cfg.model.segmentor.backbone.norm_cfg = dict(type='GN', num_groups=2)
    comparison, _ = compared(runs, work, tools)
    assert comparison.failures == {} and calls_of(runs[0]) == ['train', 'stored']
    notes = gather(runs, RunLedger(work), ('stored', 'target')).notes
    assert any('adabn/minicity has no target statistics: ' in note and 'no batch-norm layer' in note for note in notes)


def waits(reached) -> None:
    start = time.monotonic()
    while not reached():
        assert time.monotonic() - start < 120
        time.sleep(0.01)


@contextmanager
def interrupted_when(reached: Callable[[], bool]) -> Iterator[None]:
    """Send SIGINT to this process as soon as `reached()` is true, unless the block has ended before.

    SIGINT is also sent if `reached` raises. The waiting script ends on its own, so the block always ends.
    """
    ended = threading.Event()

    def interrupt() -> None:
        try:
            while not reached() and not ended.wait(0.01):
                pass
        finally:
            if not ended.is_set():
                os.kill(os.getpid(), signal.SIGINT)

    # A shell makes its background processes ignore SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
    finally:
        signal.signal(signal.SIGINT, before)


def test_stopped_in_the_middle_it_goes_on(minicity, tmp_path, tools):
    """Ctrl-C ends the training process and starts nothing else; the next call continues the run."""
    work = tmp_path / 'work'
    runs = tiny_runs(minicity, work, 'source_only', 'adabn', seeds=[0])
    compared(runs[:1], work, tools)
    (work / 'hold').touch()
    ledger = RunLedger(work)
    comparison = Comparison(runs, ledger, tools, ('stored',), say=lambda line: None)

    with interrupted_when(lambda: calls_of(runs[1]) == ['train']), pytest.raises(KeyboardInterrupt):
        comparison.execute()
    entry = RunLedger(work).entry(runs[1])
    assert entry['state'] == 'running' and entry['seconds'] > 0
    (work / 'hold').unlink()
    compared(runs, work, tools)
    assert calls_of(runs[0]) == ['train', 'stored', 'target']
    assert calls_of(runs[1]) == ['train', 'train', 'stored', 'target']
    assert RunLedger(work).entry(runs[1])['seconds'] > entry['seconds']


def test_costs_of_a_killed_attempt_count(minicity, tmp_path):
    (run,) = tiny_runs(minicity, tmp_path, 'adabn', seeds=[0])
    ledger = RunLedger(tmp_path)
    ledger.begin(run, 'abc')
    run.folder.mkdir(parents=True)
    (run.folder / 'train.log').write_text('iteration 1')
    os.utime(run.folder / 'train.log', (ledger.entry(run)['began'] + 50,) * 2)
    ledger = RunLedger(tmp_path)  # a new ledger, as after a kill
    ledger.begin(run, 'later')
    ledger.add_costs(run, 7.0, dict(process=10.0))
    assert ledger.entry(run)['seconds'] == pytest.approx(57.0, abs=1e-3) and ledger.entry(run)['commit'] == 'abc'


def test_a_damaged_ledger_is_one_clear_error(tmp_path):
    (tmp_path / 'comparison.json').write_text('{"runs": ')
    with pytest.raises(ValueError, match='comparison.json cannot be read .*: move the folder away and start again'):
        RunLedger(tmp_path)


HOLD = """
import subprocess, sys
from mmuda.owner import only_user
with only_user(sys.argv[1], 'comparison') as lock:
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], pass_fds=[lock])
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def test_a_folder_belongs_to_one_comparison_and_what_it_started(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child = int(holder.stdout.readline())
    wanted = f'{tmp_path} belongs to another comparison, process {holder.pid} on .*: wait until it and the processes'
    with pytest.raises(RuntimeError, match=wanted), only_user(tmp_path, 'comparison'):
        raise AssertionError('the folder must be in use')
    holder.kill()
    holder.wait()
    with pytest.raises(RuntimeError, match=wanted), only_user(tmp_path, 'comparison'):
        raise AssertionError('a child that still runs must hold the folder')
    os.kill(child, signal.SIGKILL)

    def free() -> bool:
        try:
            with only_user(tmp_path, 'comparison'):
                return True
        except RuntimeError:
            return False

    waits(free)


def test_the_config_of_a_run_has_no_variables_and_is_accepted(minicity, tmp_path, monkeypatch):
    """The written config of a run has no unused variables, which the checks would report as misspelt keys."""
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    methods = load_methods([CONFIGS / f'{name}/minicity.py' for name in ('sdca', 'dacs')], {})
    for run in plan_runs(methods, [3], tmp_path):
        run.folder.mkdir(parents=True)
        run.write_config()
        cfg = load_config(run.config)
        assert check_config(cfg) == [] and 'source_pipeline' not in cfg
        assert run.method.cfg.source_pipeline, 'the original config must have this variable'


def test_the_commit_of_code_that_is_not_committed(tmp_path):
    def git(*arguments: str) -> None:
        identity = ['-c', 'user.name=a', '-c', 'user.email=a@b.c']
        subprocess.run(['git', '-C', str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    assert commit_of(tmp_path) == ''
    (tmp_path / 'configs').mkdir()
    config = tmp_path / 'configs/a.py'
    config.write_text('a = 1')
    git('init')
    git('add', '.')
    git('commit', '-m', 'a')
    (tmp_path / 'notes.txt').write_text('a file that is not code')
    clean = commit_of(tmp_path)
    assert len(clean) == 10
    (tmp_path / 'configs/b.py').write_text('b = 1')
    assert commit_of(tmp_path) == f'{clean}+', 'a new config'
    git('add', '.')
    git('commit', '-m', 'b')
    later = commit_of(tmp_path)
    assert later != clean and len(later) == 10
    config.write_text('a = 2')
    assert commit_of(tmp_path) == f'{later}+', 'a changed config'
