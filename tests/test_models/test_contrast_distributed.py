"""FADA and SDCA on two processes: no waiting for heads without gradients, and the distributions of one process."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import torch
from toolbox import NUM_CLASSES, optim_cfg, pair_batch, tiny_adaptor

from mmuda.engine import PerModuleOptimWrapperConstructor

TESTS = Path(__file__).parents[1]
CASES = ('fada', 'sdca', 'sdca_features')


def build(case: str):
    if case == 'fada':
        critic = dict(type='PixelDiscriminatorHead', in_channels=32, num_classes=NUM_CLASSES, channels=(8, 4))
        return tiny_adaptor('FADA', discriminator=critic, loss_weights=dict(adv=1.0)).eval()
    # Target pixels of an untrained network are unsure of everything.
    return tiny_adaptor('SDCA', multi_level=case == 'sdca', delta=0.1, tau=1.0).eval()


def train(model, case: str, rank: int = None) -> None:
    """Three steps, on the whole batch or on the image of a rank."""
    bare = getattr(model, 'module', model)
    # SDCA's means over pixels differ with the number of pixels on a rank: its features must stay as they are.
    wrappers = PerModuleOptimWrapperConstructor(optim_cfg(bare, lr=1e-4 if case == 'fada' else 0.0))(model)
    for _ in range(3):
        batch = copy.deepcopy(pair_batch(batch_size=2))
        for side in batch.values() if rank is not None else ():
            for key in side:
                side[key] = side[key][rank : rank + 1]
        model.train_step(batch, wrappers)


SCRIPT = f"""
import sys, torch, torch.distributed as dist
sys.path[:0] = [{str(TESTS.parent)!r}, {str(TESTS)!r}, {str(TESTS / 'test_models')!r}]
from test_contrast_distributed import CASES, build, train
from mmuda.engine import AdaptorDistributedDataParallel
from mmuda.engine.distributed import leave_at_exit
def main():
    dist.init_process_group('gloo')
    leave_at_exit()
    states = {{}}
    for case in CASES:
        model = AdaptorDistributedDataParallel(build(case))
        train(model, case, dist.get_rank())
        states[case] = model.module.state_dict()
    if dist.get_rank() == 0:
        torch.save(states, sys.argv[1])
main()
"""


def test_two_processes(tmp_path):
    script, out = tmp_path / 'step.py', tmp_path / 'two.pth'
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', str(script), str(out)],
        capture_output=True,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    two = torch.load(out, weights_only=True)
    for case in CASES:
        model = build(case)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        train(model, case)
        compared = [name for name in before if case == 'fada' or 'statistics' in name]
        assert compared and any(not torch.equal(before[name], model.state_dict()[name]) for name in compared)
        for name in compared:
            torch.testing.assert_close(
                two[case][name],
                model.state_dict()[name],
                rtol=1e-4,
                atol=1e-5,
                msg=lambda text, place=f'{case} {name}': f'{place}: {text}',
            )
