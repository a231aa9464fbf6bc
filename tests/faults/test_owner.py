"""A folder is used by one run at a time, however runs end."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from labellings import label
from processes import run_on_processes
from toolbox import tiny_config
from trainings import train

from mmuda import owner
from mmuda.owner import LOCK, holds, only_run, only_user

HOLD = """
import sys
from mmuda.owner import only_run
with only_run(sys.argv[1], 'training'):
    print('held', flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Start another process that holds the folder ``held``."""
    folder = tmp_path / 'held'
    command = [sys.executable, '-c', HOLD, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'held\n'
    yield process
    process.kill()
    process.wait()


def free(folder: Path) -> bool:
    try:
        with only_run(folder, 'training'):
            return True
    except RuntimeError:
        return False


def test_the_second_run_says_who_holds_the_folder(minicity, tmp_path, holder):
    folder = tmp_path / 'held'
    told = rf'held belongs to another training, process {holder.pid} on .* since 20.*: -c .*held: wait until'
    before = sorted(folder.iterdir())
    with pytest.raises(RuntimeError, match=told):
        train(tiny_config('source_only', minicity, folder, iters=2))
    assert not list(folder.rglob('*.pth')) and set(before) <= set(folder.iterdir())
    with pytest.raises(RuntimeError, match='held belongs to another labelling, process'):
        label(folder)


def test_a_killed_run_gives_its_folder_back(tmp_path, holder):
    assert not free(tmp_path / 'held')
    holder.kill()
    holder.wait()
    assert free(tmp_path / 'held')
    assert not (tmp_path / 'held' / LOCK).exists(), 'no lock file must be left'


def test_workers_of_a_killed_run_do_not_hold_its_folder(tmp_path):
    script = HOLD.replace(
        "    print('held'",
        '    import multiprocessing, time\n'
        "    worker = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))\n"
        "    worker.start()\n    print(worker.pid)\n    print('held'",
    )
    command = [sys.executable, '-c', script, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worker = int(process.stdout.readline())
    try:
        process.stdout.readline()
        assert not free(tmp_path)
        process.kill()
        process.wait()
        os.kill(worker, 0)  # the worker is still alive
        assert free(tmp_path)
    finally:
        process.kill()
        process.wait()
        os.kill(worker, signal.SIGKILL)


def test_a_process_may_hold_a_folder_again(tmp_path):
    with only_run(tmp_path, 'training'):
        assert holds(tmp_path)
        with only_run(tmp_path, 'training'):
            pass
        assert holds(tmp_path)
        with pytest.raises(RuntimeError, match='belongs to another'), only_user(tmp_path, 'training'):
            raise AssertionError('the folder must be in use')
    assert not holds(tmp_path) and list(tmp_path.iterdir()) == []


def taken(rank: int, folder: str) -> str:
    try:
        with only_run(folder, 'training'):
            return 'taken'
    except RuntimeError as error:
        return str(error)


def test_all_processes_learn_of_a_refusal(tmp_path, holder):
    told = run_on_processes(taken, tmp_path, str(tmp_path / 'held'))
    assert all('belongs to another training' in line for line in told)
    holder.kill()
    holder.wait()


def alone(rank: int, folder: str) -> bool:
    from mmengine.dist import barrier

    with only_run(folder, 'training'):
        barrier()
        found = (Path(folder) / LOCK).is_file()
        barrier()
    return found and holds(folder) is False


def test_processes_of_one_run_share_it(tmp_path):
    assert run_on_processes(alone, tmp_path, str(tmp_path / 'run')) == [True, True]


def test_a_file_system_without_locks_goes_by_the_holder(tmp_path, holder, monkeypatch, capsys):
    import errno
    import fcntl

    def no_locks(*args):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', no_locks)
    with pytest.raises(RuntimeError, match=f'process {holder.pid}'), only_run(tmp_path / 'held', 'training'):
        raise AssertionError('a running process of this machine must hold the folder')
    with only_run(tmp_path / 'other', 'training'):
        pass


def test_the_touches_of_another_machine_are_seen_without_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(owner, 'HEARTBEAT', 0.2)
    script = HOLD.replace(
        "with only_run(sys.argv[1], 'training')",
        'import fcntl, platform, mmuda.owner\n'
        "fcntl.flock, platform.node, mmuda.owner.HEARTBEAT = lambda *args: None, lambda: 'elsewhere', 0.05\n"
        "with only_run(sys.argv[1], 'training')",
    )
    command = [sys.executable, '-c', script, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == 'held\n'
        with pytest.raises(RuntimeError, match=f'process {process.pid} on elsewhere'), only_run(tmp_path, 'training'):
            raise AssertionError('the heartbeat of the other machine must hold the folder')
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / LOCK).exists() and free(tmp_path), 'the lock of a stopped machine must expire'


# Processes whose launcher has ended.

ORPHAN = """
import os, sys, time
from mmuda.engine.distributed import end_with_launcher
end_with_launcher(every=0.1)
print(os.getpid(), flush=True)
time.sleep(300)
"""


def launcher(queue) -> None:
    child = subprocess.Popen([sys.executable, '-c', ORPHAN], stdout=subprocess.PIPE, text=True)
    queue.put(int(child.stdout.readline()))
    time.sleep(300)


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='needs /proc')
def test_a_process_ends_with_its_launcher():
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    process = context.Process(target=launcher, args=(queue,))
    process.start()
    child = queue.get(timeout=120)
    process.kill()
    process.join()
    start = time.monotonic()
    while _runs(child):
        assert time.monotonic() - start < 60, 'the process must end with its launcher'
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


# A process that does not respond.


def silent(rank: int) -> str:
    import torch
    import torch.distributed as dist

    from mmuda.engine.distributed import told_when_silent

    group = dist.new_group(backend='gloo', timeout=__import__('datetime').timedelta(seconds=2))
    if rank == 1:
        time.sleep(8)
        return ''
    try:
        with told_when_silent(dict(env_cfg=dict(dist_cfg=dict(timeout=2)))):
            dist.all_reduce(torch.ones(1), group=group)
    except RuntimeError as error:
        return str(error)
    return 'no error'


def test_a_process_that_does_not_answer_is_told(tmp_path):
    told = run_on_processes(silent, tmp_path)[0]
    assert told.startswith('another process did not answer for 2 s (env_cfg.dist_cfg.timeout)')
