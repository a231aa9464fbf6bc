"""A resumed run equals an uninterrupted one."""

import pytest
import torch
from toolbox import tiny_config
from trainings import Dropout, Interrupt, assert_same, final_weights, train

from mmuda.checkpoints.latest import latest_checkpoint
from mmuda.checkpoints.reading import read_checkpoint


@pytest.mark.parametrize(
    'method, workers, stop',
    [
        ('advent', 0, 3),
        ('advent', 0, 4),
        ('advent', 2, 3),
        pytest.param('advent', 2, 4, marks=pytest.mark.slow),
        ('dacs', 0, 3),
    ],
)
def test_resume_is_exact(minicity, tmp_path, method, workers, stop):
    options = {'train_dataloader.num_workers': workers, 'val': 2}
    whole = train(tiny_config(method, minicity, tmp_path / 'whole', **options), Dropout())
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(method, minicity, tmp_path / 'cut', **options), Dropout(), Interrupt(stop))
    cfg = tiny_config(method, minicity, tmp_path / 'cut', **options)
    cfg.resume = True
    resumed = train(cfg, Dropout())
    assert resumed.iter == whole.iter == 6
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))
    states = [read_checkpoint(latest_checkpoint(tmp_path / name))['optimizer'] for name in ('whole', 'cut')]
    assert states[0].keys() == states[1].keys()
    for module in states[0]:
        for a, b in zip(states[0][module]['state'].values(), states[1][module]['state'].values(), strict=True):
            for key in a:
                assert torch.equal(torch.as_tensor(a[key]), torch.as_tensor(b[key])), (module, key)


def test_validation_leaves_no_trace(minicity, tmp_path):
    for name, val in (('often', 1), ('never', 100)):
        train(tiny_config('adabn', minicity, tmp_path / name, val=val), Dropout())
    assert_same(final_weights(tmp_path / 'often'), final_weights(tmp_path / 'never'))
