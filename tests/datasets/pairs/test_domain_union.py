"""A union of source and target, drawn by one permutation: order, augmentation, batches."""

import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import DATA_SAMPLERS, DATASETS
from mmseg.structures import SegDataSample
from toolbox import take
from torch.utils.data import DataLoader

import mmuda.datasets.pairs.streams as streams
from mmuda.datasets import (
    DomainPairDataset,
    DomainPairSampler,
    DomainUnionDataset,
    DomainUnionSampler,
    source_subset,
    union_collate,
)
from mmuda.models import DomainPairPreprocessor


class Images(BaseDataset):
    """A data set whose pipeline draws from the three random generators and returns a label."""

    METAINFO = dict(classes=('a', 'b'))

    def __init__(self, size: int, labelled: bool = True, **kwargs) -> None:
        self.size, self.labelled = size, labelled
        super().__init__(pipeline=[self.draw], serialize_data=False, **kwargs)

    def load_data_list(self):
        return [dict(number=i) for i in range(self.size)]

    def draw(self, results):
        drawn = [results['number'], random.random(), np.random.rand(), torch.rand(()).item()]
        sample = SegDataSample(metainfo=dict(number=results['number'], seg_map_path='made.png'))
        if self.labelled:
            sample.gt_sem_seg = PixelData(data=torch.zeros(1, 2, 2, dtype=torch.int64))
        inputs = torch.tensor(drawn, dtype=torch.float64).reshape(1, 2, 2).repeat(3, 1, 1)
        return dict(inputs=inputs, data_samples=sample)


def mix(source: int = 5, target: int = 4, **kwargs) -> DomainUnionDataset:
    return DomainUnionDataset(Images(source), Images(target), **kwargs)


ALL = [('source', i) for i in range(5)] + [('target', i) for i in range(4)]


def test_configs_with_the_names_of_before_build_them():
    dataset = DATASETS.build(dict(type='DomainMixDataset', source=Images(5), target=Images(4)))
    sampler = DATA_SAMPLERS.build(dict(type='DomainMixSampler', dataset=dataset, seed=3))
    assert type(dataset) is DomainUnionDataset and type(sampler) is DomainUnionSampler
    assert take(sampler, 20) == take(DomainUnionSampler(mix(), seed=3), 20)


def test_an_epoch_is_one_permutation_of_everything():
    assert len(mix()) == len(DomainUnionSampler(mix(), seed=0)) == 9
    drawn = take(DomainUnionSampler(mix(), seed=3), 90)
    assert [n for n, _, _ in drawn] == list(range(90))
    epochs = [[tuple(item[1:]) for item in drawn[start : start + 9]] for start in range(0, 90, 9)]
    assert all(sorted(epoch) == ALL for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 10, 'every epoch must have another order'
    assert take(DomainUnionSampler(mix(), seed=4), 90) != drawn


def test_the_incomplete_last_iteration_is_dropped():
    sampler = DomainUnionSampler(mix(), seed=3, drop_to=4)
    assert len(sampler) == 8
    whole, cut = take(DomainUnionSampler(mix(), seed=3), 90), take(sampler, 80)
    assert [item[1:] for item in cut] == [item[1:] for epoch in range(10) for item in whole[9 * epoch : 9 * epoch + 8]]
    assert [n for n, _, _ in cut] == list(range(80))
    left_out = {next(iter(set(ALL) - {item[1:] for item in cut[8 * epoch : 8 * epoch + 8]})) for epoch in range(10)}
    assert len(left_out) > 1, 'epochs must leave out different images'


def test_without_shuffling_the_source_comes_first():
    drawn = take(DomainUnionSampler(mix(), seed=0, shuffle=False), 18)
    assert [item[1:] for item in drawn] == ALL * 2


@pytest.mark.parametrize('world_size', [1, 2, 3])
@pytest.mark.parametrize('drop_to', [1, 6])
def test_ranks_share_one_stream(monkeypatch, world_size, drop_to):
    whole = take(DomainUnionSampler(mix(), seed=9, drop_to=drop_to), 30)
    shards = []
    for rank in range(world_size):
        monkeypatch.setattr(streams, 'rank_and_world_size', lambda rank=rank: (rank, world_size))
        sampler = DomainUnionSampler(mix(), seed=9, drop_to=drop_to)
        assert len(sampler) == -(-(9 if drop_to == 1 else 6) // world_size)
        shards.append(take(sampler, 30 // world_size))
    assert sorted(sum(shards, [])) == whole
    assert [item for items in zip(*shards, strict=True) for item in items] == whole


@pytest.mark.parametrize('skipped', [0, 1, 13, 10**12])
def test_skip_is_exact_and_free(monkeypatch, skipped):
    monkeypatch.setattr(streams, 'rank_and_world_size', lambda: (1, 2))
    sampler = DomainUnionSampler(mix(), seed=1, drop_to=4)
    sampler.skip(skipped)
    found = take(sampler, 5)
    assert [n for n, _, _ in found] == [2 * (skipped + i) + 1 for i in range(5)]
    if skipped < 100:
        assert found == take(DomainUnionSampler(mix(), seed=1, drop_to=4), skipped + 5)[skipped:]
    with pytest.raises(ValueError, match='negative'):
        sampler.skip(-1)


def load(workers: int, batches: int, skip: int = 0) -> list:
    dataset = mix()
    sampler = DomainUnionSampler(dataset, seed=5)
    sampler.skip(skip * 2)
    loader = DataLoader(dataset, batch_size=2, sampler=sampler, num_workers=workers, collate_fn=union_collate)
    return [
        {side: torch.stack(data['inputs']).tolist() for side, data in batch.items()}
        for batch, _ in zip(iter(loader), range(batches), strict=False)
    ]


def test_augmentation_depends_on_seed_and_n_alone():
    alone = load(0, 8)
    assert load(2, 8) == alone, 'it must not depend on the number of workers'
    assert load(0, 2, skip=6) == alone[6:], 'it must not depend on the start of the run'
    assert {tuple(batch) for batch in alone} > {('source', 'target')}, (
        'some batches must hold images of one domain only'
    )


def test_an_item_is_that_of_a_pair_with_the_same_n():
    """An item of a union equals the item of a pair with the same number n, since both use the same random streams."""
    pairs = DomainPairDataset(Images(5), Images(4), seed=7, pseudo_labels=True)[(3, 2, 1)]
    for side, index in (('source', 2), ('target', 1)):
        item = mix(seed=7)[(3, side, index)]
        assert list(item) == [side]
        assert torch.equal(item[side]['inputs'], pairs[side]['inputs'])


def test_batches_by_domain():
    dataset = mix()
    items = [dataset[(0, 'target', 3)], dataset[(1, 'source', 0)], dataset[(2, 'target', 1)]]
    batch = union_collate(items)
    assert list(batch) == ['source', 'target']
    assert [sample.number for sample in batch['target']['data_samples']] == [3, 1]
    assert len(batch['source']['inputs']) == 1 and torch.is_tensor(batch['source']['inputs'][0])
    assert list(union_collate(items[1:2])) == ['source'] and list(union_collate(items[:1])) == ['target']
    normalised = DomainPairPreprocessor(mean=(0, 0, 0), std=(1, 1, 1))(union_collate(items[::2]), training=True)
    assert list(normalised) == ['target'] and normalised['target']['inputs'].shape == (2, 3, 2, 2)


def test_labelled_target_images_stay_in_the_batch():
    """Items of pairs can lack the source image; all of them have a labelled target image."""
    pairs = DomainPairDataset(Images(2), Images(4, labelled=False), target_labelled=Images(3))
    indices = DomainPairSampler(pairs, seed=0, every=dict(source=2))
    batch = union_collate([pairs[index] for index, _ in zip(indices, range(4), strict=False)])
    assert {side: len(data['inputs']) for side, data in batch.items()} == dict(source=2, target=4, target_labelled=4)


def test_a_config_names_all_three():
    assert FUNCTIONS.get('union_collate') is union_collate
    loader = Runner.build_dataloader(
        dict(
            batch_size=3,
            num_workers=0,
            dataset=mix(),
            sampler=dict(type='DomainUnionSampler', drop_to=3),
            collate_fn=dict(type='union_collate'),
        ),
        seed=11,
    )
    assert loader.dataset.seed == 11 and len(loader) == 3
    assert sum(len(side['inputs']) for side in next(iter(loader)).values()) == 3
    assert DATA_SAMPLERS.get('DomainUnionSampler') is DomainUnionSampler


def test_pseudo_labels_can_be_refused():
    with pytest.raises(RuntimeError, match='target pipeline loads ground truth .made.png.'):
        mix(pseudo_labels=False)[(0, 'target', 0)]
    assert 'source' in mix(pseudo_labels=False)[(0, 'source', 0)]
    unlabelled = DomainUnionDataset(Images(2), Images(2, labelled=False), pseudo_labels=False)
    assert 'target' in unlabelled[(0, 'target', 0)]


def test_bad_input_is_told():
    with pytest.raises(ValueError, match='same classes in the same order'):
        DomainUnionDataset(Images(2), Images(2, metainfo=dict(classes=('b', 'a'))))
    with pytest.raises(TypeError, match='needs a DomainUnionDataset, but got DomainPairDataset'):
        DomainUnionSampler(DomainPairDataset(Images(2), Images(2)), seed=0)
    for drop_to in (0, 10):
        with pytest.raises(ValueError, match=f'at most the 9 images that there are, but got {drop_to}: choose'):
            DomainUnionSampler(mix(), seed=0, drop_to=drop_to)


def test_source_subsets_are_nested():
    small, large = source_subset(3, 50, 4), source_subset(3, 50, 9)
    assert small.tolist() == large[:4].tolist() and len(set(large.tolist())) == 9 and max(large) < 50
    assert source_subset(4, 50, 9).tolist() != large.tolist()
    assert source_subset(0, 3, 1).shape == (1,) and sorted(source_subset(0, 3, 3)) == [0, 1, 2]


@pytest.mark.parametrize('n, m', [(10, 0), (10, 11), (0, 0), (5, -1)])
def test_a_subset_has_at_least_one_image_and_at_most_all(n, m):
    with pytest.raises(ValueError, match=f'{m} of {n} source images cannot be chosen.*at least one'):
        source_subset(0, n, m)
