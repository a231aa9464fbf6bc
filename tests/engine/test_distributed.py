"""Two gloo processes give the same gradients, files and scores as one process."""

import copy
import json
import os
import re
import subprocess
import sys

import pytest
import torch
from processes import run_on_processes
from toolbox import CONFIGS, optim_cfg, pair_batch, tiny_adaptor, tiny_options

from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine import AdaptorDistributedDataParallel, PerModuleOptimWrapperConstructor
from mmuda.engine.distributed import start_gloo

TOOLS = CONFIGS.parent / 'tools'


def two_steps(rank: int, kind: str, cfg: dict) -> dict:
    """Return the weights of a process after two steps on its half of a batch."""
    adaptor = tiny_adaptor(kind).eval()  # in train mode, each process would use the statistics of its half
    if rank:
        for parameter in adaptor.parameters():
            parameter.data.zero_()  # the wrapper must copy the weights of rank 0
    model = AdaptorDistributedDataParallel(adaptor)
    wrappers = PerModuleOptimWrapperConstructor(cfg)(model)
    batch = pair_batch(batch_size=2)
    for side in batch.values():
        for key in side:
            side[key] = side[key][rank : rank + 1]
    for _ in range(2):
        model.train_step(copy.deepcopy(batch), wrappers)
    return model.module.state_dict()


@pytest.mark.parametrize('kind, gathered', [('SourceOnly', 2), ('MinEnt', 1), ('ADVENT', 1), ('ADVENT', 2)])
def test_two_processes_equal_one_with_the_whole_batch(tmp_path, kind, gathered):
    adaptor = tiny_adaptor(kind).eval()
    cfg = optim_cfg(adaptor, accumulative_counts=gathered)
    first, second = run_on_processes(two_steps, tmp_path, kind, cfg)
    wrappers = PerModuleOptimWrapperConstructor(cfg)(adaptor)
    for _ in range(2):
        adaptor.train_step(copy.deepcopy(pair_batch(batch_size=2)), wrappers)
    whole = adaptor.state_dict()
    assert first.keys() == second.keys() == whole.keys(), 'wrappers must not change the names of weights'
    for name, value in whole.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(
            first[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f'{name}: {text}'
        )


def run(script: list, env: dict) -> str:
    out = subprocess.run(list(map(str, script)), capture_output=True, text=True, env=env)
    assert out.returncode == 0, out.stdout[-2000:] + out.stderr[-3000:]
    return out.stdout + out.stderr


def test_train_with_two_processes_and_test_with_one_or_two(minicity, tmp_path):
    env = dict(os.environ, MINICITY_ROOT=str(minicity), OMP_NUM_THREADS='1', PYTHON=sys.executable)
    config = CONFIGS / 'advent/minicity.py'
    options = ['--cfg-options', *(f'{key}={value}' for key, value in tiny_options('advent', iters=4).items())]
    log = run([TOOLS / 'dist_train.sh', config, 2, '--work-dir', tmp_path, *options], env)
    checkpoint = tmp_path / 'iter_4.pth'
    states = read_checkpoint(checkpoint)
    assert states['meta']['training']['world_size'] == 2 and len(states['random_states']) == 2
    assert all('.module.' not in key for key in states['state_dict'])

    found = {}
    for processes in (1, 2):
        work_dir = tmp_path / f'test{processes}'
        script = [sys.executable, TOOLS / 'test.py', config, checkpoint]
        if processes == 2:
            script = [TOOLS / 'dist_test.sh', config, checkpoint, 2]
        run([*script, '--eval', 'mIoU', '--work-dir', work_dir, *options], env)
        found[processes] = json.loads((work_dir / 'iter_4.json').read_text())
    assert found[1] == found[2]
    assert found[1]['num_images'] == 5
    # The last validation of the training and the test of its checkpoint use the same network.
    told = float(re.findall(r'Iter\(val\).*?mIoU: ([0-9.]+)', log)[-1])
    assert told == pytest.approx(found[1]['metrics']['mIoU'], abs=0.01)


def test_gloo_says_how_to_start(monkeypatch):
    for key in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(RuntimeError, match='start it with tools/dist_train.sh'):
        start_gloo()
