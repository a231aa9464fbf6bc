"""Pairs and their order: a pure function of (seed, n)."""

import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, pseudo_collate
from torch.utils.data import DataLoader

import mmuda.datasets.pairs.streams as streams
from mmuda.datasets import DomainPairDataset, DomainPairSampler
from mmuda.datasets.pairs.domain_pair import seeded


class Numbers(BaseDataset):
    """Its pipeline draws from all three generators."""

    METAINFO = dict(classes=('a', 'b'))

    def __init__(self, size: int, **kwargs) -> None:
        self.size = size
        super().__init__(pipeline=[self.draw], **kwargs)

    def load_data_list(self):
        return [dict(number=i) for i in range(self.size)]

    @staticmethod
    def draw(results):
        drawn = [random.random(), np.random.rand(), torch.rand(()).item()]
        return dict(inputs=torch.tensor([results['number'], *drawn], dtype=torch.float64), data_samples=None)


def pairs(sizes=(5, 7)) -> DomainPairDataset:
    return DomainPairDataset(Numbers(sizes[0]), Numbers(sizes[1]))


def take(sampler, count: int) -> list:
    stream = iter(sampler)
    return [next(stream) for _ in range(count)]


def test_length_is_that_of_the_longer_side_never_the_product():
    dataset = pairs((24966, 2975))
    assert len(dataset) == 24966
    assert len(DomainPairSampler(dataset, seed=0)) == 24966


def test_both_sides_run_through_permutations_independently():
    drawn = take(DomainPairSampler(pairs(), seed=3), 70)
    assert [n for n, _, _ in drawn] == list(range(70))
    source, target = [s for _, s, _ in drawn], [t for _, _, t in drawn]
    for epoch in range(14):
        assert sorted(source[5 * epoch : 5 * epoch + 5]) == list(range(5))
    for epoch in range(10):
        assert sorted(target[7 * epoch : 7 * epoch + 7]) == list(range(7))
    assert len({tuple(source[5 * e : 5 * e + 5]) for e in range(14)}) > 1, 'every pass has its own order'
    assert take(DomainPairSampler(pairs(), seed=4), 70) != drawn


def test_without_shuffling_both_run_in_order():
    assert take(DomainPairSampler(pairs(), seed=0, shuffle=False), 8) == [(n, n % 5, n % 7) for n in range(8)]


@pytest.mark.parametrize('world_size', [1, 2, 3])
def test_ranks_share_one_stream(monkeypatch, world_size):
    whole = take(DomainPairSampler(pairs(), seed=9), 30)
    shards = []
    for rank in range(world_size):
        monkeypatch.setattr(streams, 'get_dist_info', lambda rank=rank: (rank, world_size))
        shards.append(take(DomainPairSampler(pairs(), seed=9), 30 // world_size))
    assert sorted(sum(shards, [])) == whole


@pytest.mark.parametrize('skipped', [0, 1, 13, 10**12])
def test_skip_is_exact_and_free(monkeypatch, skipped):
    monkeypatch.setattr(streams, 'get_dist_info', lambda: (1, 2))
    sampler = DomainPairSampler(pairs(), seed=1)
    sampler.skip(skipped)
    found = take(sampler, 5)
    assert [n for n, _, _ in found] == [2 * (skipped + i) + 1 for i in range(5)]
    if skipped < 100:
        assert found == take(DomainPairSampler(pairs(), seed=1), skipped + 5)[skipped:]


def test_skip_refuses_to_go_back():
    with pytest.raises(ValueError, match='negative'):
        DomainPairSampler(pairs(), seed=0).skip(-1)


def load(workers: int, batches: int, skip: int = 0) -> list:
    dataset = pairs()
    sampler = DomainPairSampler(dataset, seed=5)
    sampler.skip(skip * 2)
    loader = DataLoader(dataset, batch_size=2, sampler=sampler, num_workers=workers, collate_fn=pseudo_collate)
    stream = iter(loader)
    return [
        torch.stack(batch[side]['inputs']).tolist()
        for batch, _ in zip(stream, range(batches), strict=False)
        for side in ('source', 'target')
    ]


def test_augmentation_depends_on_seed_and_n_alone():
    alone = load(0, 6)
    assert load(2, 6) == alone, 'not on the number of workers'
    assert load(0, 2, skip=4) == alone[8:], 'not on where the run started'
    first, second = alone[0][0][1:], alone[1][0][1:]
    assert first != second, 'the two sides draw from streams of their own'


def test_reading_a_pair_leaves_the_generators_alone():
    dataset = pairs()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    wanted = torch.rand(()).item(), np.random.rand(), random.random()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    dataset[(3, 0, 0)]
    assert (torch.rand(()).item(), np.random.rand(), random.random()) == wanted


def test_seeded_restores_after_an_error():
    torch.manual_seed(1)
    wanted = torch.rand(())
    torch.manual_seed(1)
    with pytest.raises(ZeroDivisionError), seeded(1, 2):
        torch.rand(())
        raise ZeroDivisionError
    assert torch.rand(()) == wanted


def test_sides_must_agree_on_classes():
    with pytest.raises(ValueError, match='same classes in the same order'):
        DomainPairDataset(Numbers(2), Numbers(2, metainfo=dict(classes=('b', 'a'))))


@pytest.mark.parametrize('exists', [True, False])
def test_an_empty_side_is_an_error(tmp_path, exists):
    if exists:
        (tmp_path / 'leftImg8bit').mkdir()
    target = dict(type='CityscapesDataset', data_root=str(tmp_path), data_prefix=dict(img_path='leftImg8bit'))
    with pytest.raises(FileNotFoundError, match='found no image in .*leftImg8bit' if exists else 'does not exist: see'):
        DomainPairDataset(Numbers(2), target)


def test_ground_truth_of_the_target_is_refused():
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    class Labelled(Numbers):
        @staticmethod
        def draw(results):
            return dict(
                inputs=torch.zeros(1),
                data_samples=SegDataSample(
                    metainfo=dict(seg_map_path='secret.png'), gt_sem_seg=PixelData(data=torch.zeros(1, 2, 2))
                ),
            )

    pairs_with_truth = DomainPairDataset(Numbers(2), Labelled(2))
    with pytest.raises(RuntimeError, match='target pipeline loads ground truth .secret.png.'):
        pairs_with_truth[(0, 0, 0)]
    assert (
        DomainPairDataset(Numbers(2), Labelled(2), pseudo_labels=True)[(0, 0, 0)]['target']['data_samples'] is not None
    )


def test_the_sampler_wants_pairs():
    with pytest.raises(TypeError, match='needs a DomainPairDataset'):
        DomainPairSampler(Numbers(3), seed=0)
