"""Plug-ins with mixed precision, gathered gradients and two processes at once."""

from pathlib import Path
from typing import Any

import pytest
import torch
from processes import run_on_processes
from toolbox import optim_cfg, side, tiny_adaptor, tiny_segmentor

import projects.daformer
import projects.fda
import projects.hrda
import projects.mic  # noqa: F401
from mmuda.engine import AdaptorDistributedDataParallel, PerModuleOptimWrapperConstructor
from mmuda.models import BaseAdaptor

SIZE = (48, 64)
THINGS = dict(distance_classes=(1, 2), threshold=0.0)
MASKED = dict(block=8, ratio=0.5)
WITH_A_TEACHER = ('DAFormer', 'HRDA', 'MIC')


def two_resolutions() -> dict:
    """Return the config of a small HRDA network."""
    segmentor = tiny_segmentor(two_levels=False, align_corners=False)
    head = segmentor.pop('decode_head')
    return dict(
        segmentor,
        type='HRDAEncoderDecoder',
        auxiliary_head=None,
        detail_size=(16, 24),
        decode_head=dict(type='HRDAHead', head=head, scale_attention=head, stride=8),
    )


def options_of(method: str) -> dict[str, Any]:
    if method == 'FDA':
        return dict(type='FDA', two_levels=False, entropy_after=-1)
    if method == 'DAFormer':
        return dict(type='DAFormer', two_levels=False, **THINGS)
    terms = ('seg', 'mix', 'masked') if method == 'MIC' else ('seg', 'mix')
    return dict(
        type='MICDAFormer' if method == 'MIC' else 'DAFormer',
        segmentor=two_resolutions(),
        teacher=dict(mode='sliding'),
        loss_weights={f'{term}_{level}': 0.5 for term in terms for level in ('main', 'detail')},
        **dict(masked=MASKED) if method == 'MIC' else {},
        **THINGS,
    )


def weights_of(network: torch.nn.Module) -> dict:
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def four_iterations(rank: int, method: str) -> dict:
    """Run two optimizer steps of two iterations each in bfloat16; return the students and the end state."""
    torch.manual_seed(0)  # all processes have the seed of the runner
    adaptor: BaseAdaptor = tiny_adaptor(**options_of(method)).train()
    cfg = optim_cfg(adaptor, lr=0.1, precision='bfloat16', accumulative_counts=2)
    model = AdaptorDistributedDataParallel(adaptor)
    wrappers = PerModuleOptimWrapperConstructor(cfg)(model)
    students, logs = [], []
    for step in range(4):
        students.append(weights_of(adaptor.segmentor.module))
        seed = 10 * step  # both processes get the same images and differ only in their random numbers
        batch = dict(source=side(seed, True, size=SIZE), target=side(seed + 1, False, size=SIZE))
        logs.append({name: value.float() for name, value in model.train_step(batch, wrappers).items()})
    teacher = getattr(adaptor, 'teacher', None)
    return dict(
        students=[*students, weights_of(adaptor.segmentor.module)],
        logs=logs,
        teacher=None if teacher is None else weights_of(teacher.segmentor),
        updates=None if teacher is None else teacher.updates.read(),
        keys=list(model.state_dict()) + list(adaptor.state_dict()),
    )


def equal(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize('method', ['FDA', *WITH_A_TEACHER])
def test_two_processes_gather_gradients_in_mixed_precision(method, tmp_path: Path):
    first, second = run_on_processes(four_iterations, tmp_path, method)
    students = first['students']
    assert all(equal(ours, theirs) for ours, theirs in zip(students, second['students'], strict=True))
    assert equal(students[0], students[1]) and equal(students[2], students[3]), (
        'weights must change in every second iteration only'
    )
    assert not equal(students[1], students[2]) and not equal(students[3], students[4])
    assert {value.dtype for value in students[-1].values()} == {torch.float32}
    assert all(value.isfinite().all() for logs in (*first['logs'], *second['logs']) for value in logs.values())
    if method not in WITH_A_TEACHER:
        return
    assert first['updates'] == second['updates'] == 2 and equal(first['teacher'], second['teacher'])
    # The teacher of the second step is the mean of the students before the two steps.
    for name, value in first['teacher'].items():
        torch.testing.assert_close(value, (students[0][name] + students[2][name]) / 2, msg=name)
    drawn = [logs['loss_mix_main'] for logs in first['logs']], [logs['loss_mix_main'] for logs in second['logs']]
    assert not torch.equal(*map(torch.stack, drawn)), 'each process must draw its own mixing masks'
    assert first['logs'][0]['loss_seg_main'] > 0 and ('loss_masked_main' in first['logs'][0]) == (method == 'MIC')
    assert not [key for key in first['keys'] if '.module.' in key]
