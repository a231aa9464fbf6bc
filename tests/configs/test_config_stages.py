"""Every shipped config with several stages runs them all, at reduced size on files in the layout of its data."""

import pytest
from shipped import STAGED, ids, reduced
from syncing import never_waiting

from mmuda.engine.launch import build_runner
from mmuda.stages import TrainStage, network_config


@pytest.mark.parametrize(**ids(STAGED))
def test_all_its_stages_run_at_reduced_size(path, tmp_path, data_roots):
    cfg = reduced(path, tmp_path, data_roots)
    runner = build_runner(cfg)
    with never_waiting(path):
        runner.train()
    entries = runner.ctx.ledger.entries
    assert [entry['status'] for entry in entries.values()] == ['done'] * len(runner.stages) and len(entries) >= 2
    last = [stage for stage in runner.stages if isinstance(stage, TrainStage)][-1]
    plain = network_config(cfg)
    plain.load_from = str(runner.ctx.checkpoint(f'{{{last.name}}}'))
    found = build_runner(plain).test()
    assert found['mIoU'] == pytest.approx(entries[last.name]['result']['metrics']['mIoU'])
