"""Learning rates of our schedule for every optimizer."""

import numpy as np
import pytest
import torch
from golden import golden_files, load, scalar
from mmengine.optim import PolyLR


@pytest.mark.parametrize('path', [*golden_files('adaptsegnet', 'poly_lr'), *golden_files('advent', 'poly_lr')])
def test_poly_lr(path):
    data = load(path)
    base, base_d = scalar(data, 'base_lr'), scalar(data, 'base_lr_D')
    total, power = scalar(data, 'max_iters'), scalar(data, 'power')
    weight = lambda: torch.nn.Parameter(torch.zeros(()))  # noqa: E731
    optimizers = [
        torch.optim.SGD([dict(params=[weight()]), dict(params=[weight()], lr=10 * base)], lr=base),
        torch.optim.SGD([weight()], lr=base),
        torch.optim.Adam([weight()], lr=base_d),
    ]
    if data['lr'].shape[1] == 3:  # ADVENT's files have no optimizer with a single group at the base rate
        del optimizers[1]
    # The `end` of mmengine is the first step after the schedule: one more than the number of iterations in the papers.
    schedulers = [PolyLR(optimizer, power=power, begin=0, end=total + 1, by_epoch=False) for optimizer in optimizers]
    wanted = {int(i): row for i, row in zip(data['iters'], data['lr'], strict=True)}
    for optimizer in optimizers:
        optimizer.step()  # mmengine warns if a scheduler steps before the optimizer
    seen = 0
    for i in range(total + 1):
        if i in wanted:
            rates = [group['lr'] for optimizer in optimizers for group in optimizer.param_groups]
            np.testing.assert_allclose(rates, wanted[i], rtol=1e-8, atol=1e-15, err_msg=str(i))
            seen += 1
        for scheduler in schedulers:
            scheduler.step()
    assert seen == len(wanted)
