"""Tiny trainings for tests that interrupt, resume and compare them."""

import random

import numpy as np
import torch
from mmengine.hooks import Hook

from mmuda.checkpoints.latest import latest_checkpoint
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine.launch import build_runner


class Interrupt(Hook):
    """A hook that stops training after an iteration without any cleaning up, like a power cut."""

    def __init__(self, after: int) -> None:
        self.after = after

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter + 1 == self.after:
            raise KeyboardInterrupt


class Dropout(Hook):
    """A hook that draws from every random generator in each iteration, as dropout or mixing in a model would."""

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        noise = torch.rand(()).item() + np.random.rand() + random.random()
        with torch.no_grad():
            runner.model.segmentor.decode_head.branches[0].bias.add_(noise)


def train(cfg, *hooks: Hook):
    """Run a training with additional hooks and return its runner."""
    runner = build_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def final_weights(work_dir) -> dict:
    """Return the weights of the last checkpoint of a run."""
    return read_checkpoint(latest_checkpoint(work_dir))['state_dict']


def assert_same(first: dict, second: dict) -> None:
    """Check that two state dicts are equal bit by bit."""
    assert first and first.keys() == second.keys()
    different = [key for key in first if not torch.equal(first[key], second[key])]
    assert not different
