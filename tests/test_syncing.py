"""The helper `syncing` finds reads of a GPU by the host on a machine without a GPU."""

import pytest
import torch
from methods import METHODS
from mmengine.config import Config
from shipped import LOADED, PROJECTS
from syncing import is_followed, reads_of

VALUES = torch.tensor([3.0, 1.0, 2.0])


@pytest.mark.parametrize(
    'wait',
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.max() > 1),
        lambda x: float(x[0] * 2),
        lambda x: x[x > 1],
        lambda x: x.masked_select(x > 1),
        lambda x: (x > 1).nonzero(),
        lambda x: torch.where(x > 1),
        lambda x: x.unique(),
        lambda x: x.long().bincount(),
        lambda x: (x + 1).detach().cpu(),
        lambda x: x.detach().numpy(),
        lambda x: x.tolist(),
        lambda x: range(int(x[1])),
        lambda x: x.index_put((x > 1,), torch.zeros(2)),
        lambda x: x[[0, 2]],
        lambda x: x + torch.ones(3).to(x.device),
        lambda x: x + torch.tensor([1.0, 2.0, 3.0], device=x.device),
        lambda x: x + x.new_tensor([1.0, 2.0, 3.0]),
        lambda x: (torch.ones(3).to(x.device, non_blocking=True) + 1).sum().item(),
    ],
)
def test_a_read_is_found(wait):
    with reads_of([VALUES]) as found:
        wait(VALUES)
    assert found


@pytest.mark.parametrize(
    'compute',
    [
        lambda x: torch.where(x > 1, x, 0).sum(),
        lambda x: x[torch.tensor([0, 2])],
        lambda x: x.scatter_add(0, x.long().clamp(max=2), x),
        lambda x: x * torch.rand(3, generator=torch.Generator()).tolist()[0],
        lambda x: x.shape[0] + x.numel(),
        lambda x: x.repeat_interleave(torch.ones(3, dtype=torch.long), output_size=3),
        lambda x: x.index_put((x > 1,), torch.zeros(())),
        lambda x: x.masked_fill(x > 1, 0).argmax(),
        lambda x: x.to(x.device) + torch.ones(3).to(x.device, non_blocking=True),
        lambda x: x.to(torch.float64).to(torch.zeros(1)),
        lambda x: x[1:, None] + torch.zeros(3, device=x.device).sum(),
    ],
)
def test_work_on_the_device_and_on_the_host_is_none(compute):
    with reads_of([VALUES]) as found:
        compute(VALUES)
    assert not found


def test_gradients_are_followed():
    weight = torch.ones(3, requires_grad=True)
    with reads_of([weight]) as found:
        (weight * 2).sum().backward()
        assert not found
        weight.grad.norm().item()
    assert [function for function, _ in found] == ['']


def test_steps_of_every_method_are_followed():
    configs = LOADED | {path: Config.fromfile(path) for path in PROJECTS if is_followed(path)}
    texts = [str(cfg.to_dict()) for path, cfg in configs.items() if is_followed(path)]
    followed = {name for name in METHODS if any(f"'type': '{name}" in text for text in texts)}
    assert followed == set(METHODS)
