"""Tiny trainings that are interrupted, resumed and compared."""

import random

import numpy as np
import torch
from mmengine.hooks import Hook

from mmuda.checkpoints.latest import latest_checkpoint
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine.launch import build_runner


class Interrupt(Hook):
    """Stops training after an iteration, like a power cut (nothing is cleaned up)."""

    def __init__(self, after: int) -> None:
        self.after = after

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter + 1 == self.after:
            raise KeyboardInterrupt


class Dropout(Hook):
    """Draws from every generator in each iteration, as dropout or mixing in a model would."""

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        noise = torch.rand(()).item() + np.random.rand() + random.random()
        with torch.no_grad():
            runner.model.segmentor.decode_head.branches[0].bias.add_(noise)


def train(cfg, *hooks: Hook):
    """Train with more hooks; return the runner."""
    runner = build_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def final_weights(work_dir) -> dict:
    """The weights of the last checkpoint of a run."""
    return read_checkpoint(latest_checkpoint(work_dir))['state_dict']


def assert_same(first: dict, second: dict) -> None:
    """Compare two state dicts bit by bit."""
    assert first and first.keys() == second.keys()
    different = [key for key in first if not torch.equal(first[key], second[key])]
    assert not different
