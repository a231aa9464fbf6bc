"""Training on target images and their pseudo labels, without a source."""

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from toolbox import NUM_CLASSES, optim_cfg, take, tiny_adaptor

import mmuda.datasets.pairs.streams as streams
from mmuda.datasets import DomainPairDataset, DomainUnionDataset, DomainUnionSampler, union_collate
from mmuda.engine import PerModuleOptimWrapperConstructor

CLASSES = tuple(f'class {n}' for n in range(NUM_CLASSES))


class Images(BaseDataset):
    """A data set of random images with random labels, drawn when they are read."""

    METAINFO = dict(classes=CLASSES)

    def __init__(self, size: int = 5, labelled: bool = True) -> None:
        self.size, self.labelled = size, labelled
        super().__init__(pipeline=[self.draw], serialize_data=False)

    def load_data_list(self):
        return [dict(number=i) for i in range(self.size)]

    def draw(self, results):
        sample = SegDataSample(metainfo=dict(number=results['number'], img_shape=(40, 56), ori_shape=(40, 56)))
        if self.labelled:
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(np.random.randint(0, NUM_CLASSES, (1, 40, 56))))
        return dict(inputs=torch.rand(3, 40, 56), data_samples=sample)


def alone(size: int = 5, **kwargs) -> DomainUnionDataset:
    return DomainUnionDataset(source=None, target=Images(size), **kwargs)


def test_an_item_is_a_target_image():
    dataset = alone(seed=7)
    assert len(dataset) == 5 and list(dataset.sides()) == ['target'] and dataset.metainfo['classes'] == CLASSES
    item = dataset[(3, 'target', 1)]
    assert list(item) == ['target'] and item['target']['data_samples'].number == 1
    of_a_pair = DomainPairDataset(Images(), Images(), seed=7, pseudo_labels=True)[(3, 0, 1)]['target']
    assert torch.equal(item['target']['inputs'], of_a_pair['inputs']), 'both must use the same random numbers'


def test_epochs_are_permutations_of_the_target():
    drawn = take(DomainUnionSampler(alone(), seed=3), 50)
    assert [n for n, _, _ in drawn] == list(range(50)) and {side for _, side, _ in drawn} == {'target'}
    epochs = [[image for _, _, image in drawn[start : start + 5]] for start in range(0, 50, 5)]
    assert all(sorted(epoch) == list(range(5)) for epoch in epochs) and len(set(map(tuple, epochs))) > 1
    assert take(DomainUnionSampler(alone(), seed=0, shuffle=False), 6) == [(n, 'target', n % 5) for n in range(6)]
    assert len(DomainUnionSampler(alone(), seed=3, drop_to=2)) == 4


@pytest.mark.parametrize('world_size', [1, 2])
def test_ranks_share_one_stream_and_skip(monkeypatch, world_size):
    whole, shards = take(DomainUnionSampler(alone(), seed=9), 30), []
    for rank in range(world_size):
        monkeypatch.setattr(streams, 'rank_and_world_size', lambda rank=rank: (rank, world_size))
        sampler = DomainUnionSampler(alone(), seed=9)
        sampler.skip(4)
        shards.append(take(sampler, 30 // world_size - 4))
    assert sorted(sum(shards, [])) == whole[4 * world_size :]


def test_self_training_learns_from_it():
    torch.manual_seed(0)
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=0,
            dataset=alone(),
            sampler=dict(type='DomainUnionSampler', drop_to=2),
            collate_fn=dict(type='union_collate'),
        ),
        seed=11,
    )
    adaptor = tiny_adaptor('SelfTraining').train()
    wrappers = PerModuleOptimWrapperConstructor(optim_cfg(adaptor))(adaptor)
    before = {name: weight.clone() for name, weight in adaptor.segmentor.named_parameters()}
    batch = next(iter(loader))
    assert list(batch) == ['target'] and len(batch['target']['inputs']) == 2
    logs = adaptor.train_step(batch, wrappers)
    assert 'target_loss' in logs and 'source_loss' not in logs
    assert all(torch.isfinite(value) for value in logs.values())
    assert any(not torch.equal(weight, before[name]) for name, weight in adaptor.segmentor.named_parameters())


def test_pseudo_labels_can_be_refused():
    with pytest.raises(RuntimeError, match='target pipeline loads ground truth'):
        alone(pseudo_labels=False)[(0, 'target', 0)]
    unlabelled = DomainUnionDataset(None, Images(labelled=False), pseudo_labels=False)
    assert list(union_collate([unlabelled[(0, 'target', 0)]])) == ['target']


def test_pairs_need_a_source():
    with pytest.raises(TypeError, match='DomainPairDataset needs a source: .* DomainUnionDataset with source=None'):
        DomainPairDataset(None, Images())
