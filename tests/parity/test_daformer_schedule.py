"""Learning rates of DAFormer, compared with stored values of the original."""

import numpy as np
import pytest
import torch
from golden import SHIPPED_DIR, golden_files, load, section
from mmseg.registry import PARAM_SCHEDULERS
from toolbox import CONFIGS

import mmuda  # noqa: F401
from mmuda.engine.launch import load_config


def rates(base: list[float], iters: np.ndarray, cfg: dict) -> list[list[float]]:
    """Return the learning rates of one group for each base value, at these iterations."""
    weights = [torch.nn.Parameter(torch.zeros(())) for _ in base]
    optimizer = torch.optim.SGD([dict(params=[w], lr=lr) for w, lr in zip(weights, base, strict=True)], lr=1.0)
    scheduler = PARAM_SCHEDULERS.build(dict(cfg, optimizer=optimizer))
    optimizer.step()  # mmengine warns if a scheduler steps before the optimizer
    found = {}
    for i in range(int(iters.max()) + 1):
        found[i] = [group['lr'] for group in optimizer.param_groups]
        scheduler.step()
    return [found[int(i)] for i in iters]


@pytest.mark.parametrize('path', golden_files('daformer', 'lr'))
def test_learning_rates(path):
    data = load(path)
    names = {key.split('/')[0] for key in data}
    assert names
    for name in names:
        case = section(data, name)
        total, warmup, ratio, power, lowest = case['max_warmup_f64'].tolist()
        cfg = dict(
            type='WarmupPolyLR', power=power, eta_min=lowest, warmup=int(warmup), warmup_ratio=ratio,
            begin=0, end=int(total) + 1, by_epoch=False,
        )  # fmt: skip
        found = rates(case['base_lr_f64'].tolist(), case['iters'], cfg)
        np.testing.assert_allclose(found, case['lr_f64'], rtol=1e-9, atol=1e-18, err_msg=name)


@pytest.mark.parametrize('path', golden_files('daformer', 'lr', SHIPPED_DIR))
def test_our_schedule_is_the_recipe(path):
    case = section(load(path), 'recipe')
    cfg = load_config(CONFIGS / '_base_/schedules/adamw_40k.py')
    (scheduler,) = cfg.param_scheduler
    assert case['base_lr_f64'][0] == cfg.optim_wrapper.segmentor.optimizer.lr
    assert [scheduler.end - 1, scheduler.warmup, scheduler.warmup_ratio, scheduler.power, scheduler.eta_min] == case[
        'max_warmup_f64'
    ].tolist()
    found = rates(case['base_lr_f64'].tolist(), case['iters'], scheduler)
    np.testing.assert_allclose(found, case['lr_f64'], rtol=1e-9, atol=1e-18)
