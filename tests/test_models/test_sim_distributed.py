"""SIM's memories on two processes."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from test_sim import agreeing, decided, prepared, sim

TESTS = Path(__file__).parents[1]

SCRIPT = f"""
import sys, torch, torch.distributed as dist
sys.path[:0] = [{str(TESTS.parent)!r}, {str(TESTS)!r}, {str(TESTS / 'test_models')!r}]
from test_sim import agreeing, decided, prepared, sim, trained
from mmuda.engine import AdaptorDistributedDataParallel
from mmuda.engine.distributed import leave_at_exit
def main():
    dist.init_process_group('gloo')
    leave_at_exit()
    rank = dist.get_rank()
    states = []
    for gather in (True, False):
        model = decided(sim(gather=gather).eval())
        source = agreeing(model, prepared(model)['source'])
        own = dict(inputs=source['inputs'][rank:rank + 1], data_samples=source['data_samples'][rank:rank + 1])
        model.remember(model.segment(own), own)
        states.append(model.state_dict())
    model = AdaptorDistributedDataParallel(decided(sim().train()))
    trained(model, rank)
    states.append(model.module.state_dict())
    torch.save(states, sys.argv[1] + str(rank))
main()
"""


def test_two_processes_remember_the_images_of_both(tmp_path):
    script = tmp_path / 'remember.py'
    script.write_text(SCRIPT)
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--standalone',
            '--nproc_per_node=2',
            str(script),
            str(tmp_path / 'state'),
        ],
        capture_output=True,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (first, first_own, first_run), (second, second_own, second_run) = (
        torch.load(tmp_path / f'state{rank}', weights_only=True) for rank in (0, 1)
    )
    whole = decided(sim().eval())
    source = agreeing(whole, prepared(whole)['source'])
    whole.remember(whole.segment(source), source)
    names = [name for name in first if 'memory' in name]
    for name in names:
        torch.testing.assert_close(first[name], whole.state_dict()[name], msg=name)
        assert torch.equal(first[name], second[name]), name
        assert torch.equal(first_run[name], second_run[name]), f'{name} after training'
    assert any(not torch.equal(first_own[name], second_own[name]) for name in names)
    for state in (first, first_run):
        assert state['stuff_memory.count'].any() and state['thing_memory.count'].any()
