"""Portions, learning rates, epochs and seeds of CBST's rounds, as computed by the driver of the original."""

import numpy as np
import pytest
from golden import golden_files, load

from mmuda.stages import CBSTRounds


@pytest.mark.parametrize('path', golden_files('cbst', 'schedule'))
def test_schedule(path):
    data = load(path)
    scenarios = sorted({key.split('__')[0] for key in data if key.endswith('__tgt_port')})
    assert scenarios
    for scenario in scenarios:
        stored = {key.split('__')[1]: value for key, value in data.items() if key.startswith(f'{scenario}__')}
        count = len(stored['tgt_port'])
        seeds = stored['seed'].tolist()
        stages = CBSTRounds(
            'rounds',
            'source',
            dict(strategy=dict(type='ClassBalanced', portion=0.0)),
            {},
            num_rounds=count,
            epochs_per_round=int(stored['to_epoch'][0]),
            target_portion=options(stored['tgt_port'], maximum=0.5),
            source_portion=options(stored['src_port'], maximum=0.06),
            sample_policy='random' if count > 1 and seeds == list(range(count)) else 'cumulative',
            sample_seed=seeds[0],
        ).expand()
        labels, trains = stages[::2], stages[1::2]
        assert [stage.strategy['portion'] for stage in labels] == stored['tgt_port'].tolist()
        assert [stage.source_portion for stage in trains] == stored['src_port'].tolist()
        total = int(stored['num_source'])
        assert [int(total * stage.source_portion) for stage in trains] == stored['src_num'].tolist()
        np.testing.assert_allclose(
            [stored['base_lr'][0] * stage.lr_factor for stage in trains], stored['base_lr'], rtol=1e-11
        )
        assert np.cumsum([stage.epochs for stage in trains]).tolist() == stored['to_epoch'].tolist()
        assert [stage.sample_seed for stage in trains] == seeds


def options(portions: np.ndarray, maximum: float) -> dict:
    """Return init and step of recorded portions; the maximum is the default unless they end elsewhere."""
    steps = np.diff(portions).round(10)
    if len(steps) and steps[-1] == 0:  # the maximum is less than a step below the plateau
        reached = portions[-1] - (steps[0] / 2)
        maximum = maximum if reached - steps[0] / 2 < maximum <= portions[-1] else reached
    elif portions[-1] >= maximum:
        maximum = portions[-1] + 1
    return dict(init=float(portions[0]), step=float(steps[0]) if len(steps) else 0.0, max=float(maximum))
