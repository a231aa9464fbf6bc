"""Names of processors and GPUs."""

import torch

from mmuda import machine


def test_the_processor_has_its_name_and_instructions(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, 'CPU_INFO', tmp_path / 'cpuinfo')
    capability = torch.backends.cpu.get_cpu_capability()
    (tmp_path / 'cpuinfo').write_text('processor : 0\nmodel name\t: AMD EPYC: 7\nprocessor : 1\nmodel name\t: other\n')
    assert machine.processor_name() == f'AMD EPYC: 7, {capability}'
    (tmp_path / 'cpuinfo').write_text('')
    monkeypatch.setattr('platform.processor', lambda: '')
    monkeypatch.setattr('platform.machine', lambda: 'arm64')
    assert machine.processor_name() == f'arm64, {capability}'


def test_a_gpu_counts_more_than_the_processor(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    monkeypatch.setattr(machine, 'QUERY', ['echo', 'NVIDIA H200'])
    assert machine.machine_name() == 'NVIDIA H200'
    monkeypatch.setattr(machine, 'QUERY', ['a-command-that-does-not-exist'])
    assert machine.machine_name() == 'GPU'
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    assert machine.machine_name() == machine.processor_name()
