"""DACS with stored random numbers, and batches of stored iterations."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from toolbox import CONFIGS
from torch import Tensor, nn

from mmuda.engine.launch import load_config
from mmuda.models import DACS
from mmuda.models.teachers import AugmentationDraws

CLOSE, LOSS = 2e-5, 1e-5
"""Tolerances of arrays, relative to the largest value, and of losses, from the README of DAFormer's golden files."""


def close(ours, stored, message: str, tolerance: float = CLOSE) -> None:
    """Compare an array as the README of the golden files defines."""
    ours, stored = np.asarray(ours.detach() if isinstance(ours, Tensor) else ours), np.asarray(stored)
    assert ours.shape == stored.shape, message
    apart = np.abs(ours - stored).max() / max(np.abs(stored).max(), 1e-3)
    assert apart <= tolerance, (message, apart)


class Replayed(DACS):
    """A DACS that uses stored classes and random numbers, and records the results of an iteration."""

    def replay(self, chosen: list[np.ndarray], draws: AugmentationDraws) -> None:
        self.chosen, self.draws = chosen, draws

    def label_target(self, target):
        self.pseudo = super().label_target(target)
        return self.pseudo

    def mix(self, *args):
        self.mixed = super().mix(*args)
        return self.mixed

    def draw_classes(self, count: int) -> Tensor:
        keys = torch.ones(count, 256)
        for key, values in zip(keys, self.chosen, strict=True):
            key[torch.from_numpy(values.astype(np.int64))] = 0
        return keys

    def draw_augmentation(self, count: int) -> AugmentationDraws:
        return self.draws


def without_rows(images: np.ndarray, top: int, bottom: int) -> np.ndarray | None:
    """Return maps (N, 1, H, W) that are 0 in untrusted rows at the top and bottom; None without such rows."""
    if not top and not bottom:
        return None
    maps = np.ones((len(images), 1, *images.shape[-2:]), np.uint8)
    maps[:, :, :top] = 0
    maps[:, :, max(0, images.shape[-2] - bottom) :] = 0
    return maps


def domain(images: np.ndarray, labels: np.ndarray | None = None, trusted: np.ndarray | None = None) -> dict:
    """Return one domain of a collated batch from uint8 images (N, 3, H, W), labels (N, H, W) and maps (N, 1, H, W)."""
    samples = [SegDataSample() for _ in images]
    for i, sample in enumerate(samples):
        if labels is not None:
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(labels[i].astype(np.int64))[None])
        if trusted is not None:
            sample.trusted = PixelData(data=torch.from_numpy(trusted[i]))
    return dict(inputs=[torch.from_numpy(image) for image in images], data_samples=samples)


class Gradients:
    """The gradients of the last step of an optimizer, by the names of the weights."""

    def __init__(self, optimizer: torch.optim.Optimizer, network: nn.Module) -> None:
        self.network, self.seen = network, {}
        optimizer.register_step_pre_hook(self)

    def __call__(self, *_) -> None:
        self.seen = OrderedDict((n, p.grad.clone()) for n, p in self.network.named_parameters() if p.grad is not None)


def flat(network: nn.Module, names: np.ndarray) -> np.ndarray:
    state = network.state_dict()
    return np.concatenate([state[name].numpy().ravel() for name in names.tolist()])


def adamw(hyper: dict) -> dict:
    """Return the optimizer config of our schedule with other numbers."""
    cfg = load_config(CONFIGS / '_base_/schedules/adamw_40k.py').optim_wrapper
    cfg.pop('constructor')
    cfg.segmentor.optimizer.update(
        lr=hyper['lr'], betas=(hyper['beta1'], hyper['beta2']), weight_decay=hyper['weight_decay']
    )
    cfg.segmentor.paramwise_cfg.custom_keys['head'].lr_mult = hyper['head_factor']
    return cfg


def check_groups(optimizer, network, data: dict) -> None:
    """Check that each weight has the learning rate and the weight decay of the original."""
    found = {id(p): (group['lr'], group['weight_decay']) for group in optimizer.param_groups for p in group['params']}
    names = data['parameter_names'].tolist()
    assert set(names) == {name for name, _ in network.named_parameters()}
    for name, lr, decay in zip(
        names, data['lr_per_parameter_f64'], data['weight_decay_per_parameter_f64'], strict=True
    ):
        assert found[id(network.get_parameter(name))] == pytest.approx((lr, decay), rel=1e-9), name


def check_length(network: nn.Module, data: dict, stored: float, step: int, tolerance: float) -> None:
    """Check the L2 norm of a network's state after a step, of which the file has the names in `init`.

    The parameters in `noise_keys` have a gradient of zero. Adam turns its rounding errors into steps of up to about the
    learning rate, so these entries of two runs can be apart by that much in each step.
    """
    state, noise = network.state_dict(), set(data['noise_keys'].tolist())
    apart = 2 * (step + 1) * data['lr_per_parameter_f64'].max()
    total = slack = 0.0
    for name in (key.removeprefix('init/') for key in data if key.startswith('init/')):
        value = state[name].double()
        total += value.square().sum().item()
        slack += (2 * apart * value.abs() + apart**2).sum().item() if name in noise else 0.0
    found = np.sqrt(total)
    assert abs(found - stored) <= tolerance * stored + slack / (2 * found), (found, stored, slack)
