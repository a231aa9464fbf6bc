"""Means and variances of all vectors seen so far, in one process and in two."""

import copy

import numpy as np
import pytest
import torch
from processes import run_on_processes

import mmuda.models.memories.class_statistics as module
from mmuda.models.memories.class_statistics import ClassStatistics

CLASSES, CHANNELS = 5, 6
NEVER = 3


def batch(seed: int, shape=(2, 4, 6)) -> tuple:
    """Return maps with a mean far from zero, and labels with an absent class, a rare class and ignored pixels."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(shape[0], CHANNELS, *shape[1:], generator=generator) * 0.5 + 20
    labels = torch.randint(CLASSES, shape, generator=generator)
    labels[labels == NEVER] = 255
    if seed % 2:
        labels[labels == 1] = 255
    return maps, labels


def by_numpy(batches: list) -> dict:
    rows = np.concatenate([maps.movedim(1, -1).flatten(0, 2).double().numpy() for maps, _ in batches])
    labels = np.concatenate([labels.flatten().numpy() for _, labels in batches])
    found = dict(mean=np.zeros((CLASSES, CHANNELS)), variance=np.zeros((CLASSES, CHANNELS)), count=np.zeros(CLASSES))
    for index in range(CLASSES):
        members = rows[labels == index]
        if len(members):
            found['mean'][index], found['variance'][index] = members.mean(axis=0), members.var(axis=0)
        found['count'][index] = len(members)
    return found


def check(statistics, wanted: dict, rtol: float = 1e-5) -> None:
    state = statistics if isinstance(statistics, dict) else statistics.state_dict()
    assert set(state) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(state[name].numpy(), value, rtol=rtol, atol=1e-6, err_msg=name)


def gathered(batches: list, **kwargs) -> ClassStatistics:
    statistics = ClassStatistics(CLASSES, CHANNELS, **kwargs)
    for maps, labels in batches:
        statistics.update(maps, labels)
    return statistics


@pytest.mark.parametrize('block', [512, 4, 1])
def test_all_vectors_ever_seen(monkeypatch, block):
    monkeypatch.setattr(module, 'BLOCK', block)
    batches = [batch(seed, shape) for seed, shape in enumerate([(2, 4, 6), (1, 3, 3), (3, 5, 2), (1, 1, 1)])]
    check(gathered(batches), by_numpy(batches))


def test_the_order_of_images_does_not_matter():
    batches = [batch(seed) for seed in range(4)]
    check(gathered(batches[::-1]), by_numpy(batches))


def test_classes_without_new_vectors_do_not_change():
    statistics = gathered([batch(0)])
    before = {name: value.clone() for name, value in statistics.state_dict().items()}
    assert not before['mean'][NEVER].any() and not before['variance'][NEVER].any() and before['count'][NEVER] == 0
    maps, labels = batch(2)
    statistics.update(maps, labels.masked_fill(labels != 2, 255))
    others = torch.arange(CLASSES) != 2
    for name, value in statistics.state_dict().items():
        assert torch.equal(value[others], before[name][others]), name
        assert not torch.equal(value[2], before[name][2]), name


def test_nothing_labelled_changes_nothing():
    statistics = gathered([batch(0)])
    before = {name: value.clone() for name, value in statistics.state_dict().items()}
    maps, labels = batch(2)
    statistics.update(maps, torch.full_like(labels, 255))
    statistics.update(maps, torch.full_like(labels, 2), ignore_index=2)
    for name, value in statistics.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize('value', [float('inf'), float('nan'), 1e20])
@pytest.mark.parametrize('labelled', [True, False])
def test_what_overflows_is_left_out(value, labelled):
    """Vectors that are not finite do not enter the statistics, as in an iteration that a loss scaler skips."""
    batches = [batch(seed) for seed in (0, 1)]
    statistics = gathered(batches[:1])
    maps, labels = batch(2)
    maps[0, 0, 1, 1], labels[0, 1, 1] = value, 0 if labelled else 255
    if value == 1e20:
        labels[:] = 255
        labels[0, 1, 1] = 0 if labelled else 255  # no other pixel has this class
    statistics.update(maps, labels)
    assert all(part.isfinite().all() for part in statistics.state_dict().values())
    statistics.update(*batches[1])
    check(statistics, by_numpy(batches))


@pytest.mark.parametrize('count', [2**24, 10**8, 2**40])
def test_counts_beyond_float32(count):
    """Counts beyond the exact range of float32 stay exact, and old statistics have the right weight."""
    maps, labels = batch(2)
    old = dict(
        mean=np.full((CLASSES, CHANNELS), 19.0),
        variance=np.full((CLASSES, CHANNELS), 2.0),
        count=np.full(CLASSES, float(count)),
    )
    statistics = ClassStatistics(CLASSES, CHANNELS)
    statistics.load_state_dict(
        {name: torch.from_numpy(value).to(statistics.state_dict()[name].dtype) for name, value in old.items()}
    )
    for _ in range(3):
        statistics.update(maps, labels)
    new = by_numpy([(maps, labels)] * 3)
    assert torch.equal(statistics.count, torch.from_numpy(old['count'] + new['count']))
    weight = (new['count'] / (new['count'] + old['count']))[:, None]
    shift = weight * (1 - weight) * (old['mean'] - new['mean']) ** 2
    check(
        statistics,
        dict(
            mean=(1 - weight) * old['mean'] + weight * new['mean'],
            variance=(1 - weight) * old['variance'] + weight * new['variance'] + shift,
            count=old['count'] + new['count'],
        ),
        rtol=1e-6,
    )


def test_variance_of_values_far_from_zero():
    """Values far from zero keep their variance, which a difference of large sums would lose."""
    maps, labels = batch(4)
    maps = maps + 1000
    check(gathered([(maps, labels)]), by_numpy([(maps, labels)]), rtol=1e-3)


def test_neither_gradients_nor_half_precision():
    maps, labels = batch(0)
    half = maps.bfloat16().requires_grad_()
    statistics = ClassStatistics(CLASSES, CHANNELS)
    with torch.autocast('cpu', torch.bfloat16):
        statistics.update(half, labels)
    assert not any(value.requires_grad for value in statistics.buffers()) and not list(statistics.parameters())
    assert statistics.mean.dtype == torch.float32
    check(statistics, by_numpy([(half.detach().float(), labels)]))
    assert half.grad is None


def test_state_is_saved_and_resumed(tmp_path):
    batches = [batch(seed) for seed in range(4)]
    torch.save(gathered(batches[:2]).state_dict(), tmp_path / 'state.pth')
    resumed = ClassStatistics(CLASSES, CHANNELS)
    resumed.load_state_dict(torch.load(tmp_path / 'state.pth', weights_only=True))
    for maps, labels in batches[2:]:
        resumed.update(maps, labels)
    for name, value in gathered(batches).state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_one_process_has_nothing_to_merge():
    statistics = gathered([batch(0)], reduce=False)
    before = {name: value.clone() for name, value in statistics.state_dict().items()}
    statistics.merge_processes()
    assert all(torch.equal(value, before[name]) for name, value in statistics.state_dict().items())


def share(rank: int, step: int) -> tuple:
    """Return the images of one of two processes. Their numbers differ, and one batch has no labelled pixel."""
    maps, labels = batch(10 * rank + step, (1 + rank, 4, 6))
    return maps, torch.full_like(labels, 255) if (rank, step) == (1, 0) else labels


def three_updates(rank: int) -> dict:
    """Return the states of statistics reduced in each update, of separate ones, and of ones merged at the end."""
    found = {
        kind: ClassStatistics(CLASSES, CHANNELS, reduce=kind == 'reduced') for kind in ('reduced', 'apart', 'merged')
    }
    for step in range(3):
        for statistics in found.values():
            statistics.update(*share(rank, step))
    found['merged'].merge_processes()
    return {kind: statistics.state_dict() for kind, statistics in found.items()}


def test_two_processes(tmp_path):
    whole = by_numpy([share(rank, step) for rank in range(2) for step in range(3)])
    states = run_on_processes(three_updates, tmp_path)
    for rank, found in enumerate(states):
        check(found['reduced'], whole)
        check(found['merged'], whole)
        check(found['apart'], by_numpy([share(rank, step) for step in range(3)]))
    for kind in ('reduced', 'merged'):
        assert all(torch.equal(value, states[1][kind][name]) for name, value in states[0][kind].items()), kind


def test_statistics_of_one_process_are_its_own():
    statistics = ClassStatistics(3, 2)
    statistics.update(torch.rand(1, 2, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64))
    before = copy.deepcopy(statistics.state_dict())
    statistics.merge_processes()
    assert all(torch.equal(before[key], value) for key, value in statistics.state_dict().items())
