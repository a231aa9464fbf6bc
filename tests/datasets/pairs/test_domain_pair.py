"""Pairs of images, whose augmentation depends only on the seed and the number n of the pair."""

import random

import layouts
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from toolbox import Numbers
from torch.utils.data import DataLoader

from mmuda.datasets import DomainPairDataset, DomainPairSampler
from mmuda.datasets.pairs.domain_pair import seeded


def pairs(sizes=(5, 7)) -> DomainPairDataset:
    return DomainPairDataset(Numbers(sizes[0]), Numbers(sizes[1]))


def load(workers: int, batches: int, skip: int = 0, dataset: DomainPairDataset | None = None) -> list:
    dataset = dataset or pairs()
    sampler = DomainPairSampler(dataset, seed=5)
    sampler.skip(skip * 2)
    loader = DataLoader(dataset, batch_size=2, sampler=sampler, num_workers=workers, collate_fn=pseudo_collate)
    stream = iter(loader)
    return [
        torch.stack(batch[side]['inputs']).tolist()
        for batch, _ in zip(stream, range(batches), strict=False)
        for side in dataset.sides()
    ]


def test_augmentation_depends_on_seed_and_n_alone():
    alone = load(0, 6)
    assert load(2, 6) == alone, 'it must not depend on the number of workers'
    assert load(0, 2, skip=4) == alone[8:], 'it must not depend on the start of the run'
    first, second = alone[0][0][1:], alone[1][0][1:]
    assert first != second, 'the two domains must use separate random numbers'


def test_a_labelled_stream_changes_no_other(monkeypatch):
    monkeypatch.setattr(Numbers, 'draw', staticmethod(with_label(Numbers.draw)))
    labelled = DomainPairDataset(Numbers(5), Numbers(7), pseudo_labels=True, target_labelled=Numbers(3))
    alone = load(0, 6, dataset=labelled)
    assert [values for place, values in enumerate(alone) if place % 3 != 2] == load(0, 6, dataset=labelled_target())
    assert load(2, 6, dataset=labelled) == alone
    assert load(0, 2, skip=4, dataset=labelled) == alone[12:]
    drawn = alone[2::3]
    assert len({str(image) for batch in drawn for image in batch}) == 12, (
        'each repetition must have another augmentation'
    )
    assert drawn[0][0][1:] not in (alone[0][0][1:], alone[1][0][1:]), (
        'labelled target images must use separate random numbers'
    )


def labelled_target() -> DomainPairDataset:
    return DomainPairDataset(Numbers(5), Numbers(7), pseudo_labels=True)


def with_label(draw):
    """Return a pipeline step that also returns a label."""

    def labelled(results):
        truth = SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, 2, 2)), metainfo=dict(img_path='a.png'))
        return dict(draw(results), data_samples=truth)

    return labelled


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
    other = dict(metainfo=dict(classes=('b', 'a')))
    with pytest.raises(ValueError, match='source and target must have the same classes in the same order'):
        DomainPairDataset(Numbers(2), Numbers(2, **other))
    with pytest.raises(ValueError, match=r"source and target_labelled must .*got \('a', 'b'\) and \('b', 'a'\)"):
        DomainPairDataset(Numbers(2), Numbers(2), target_labelled=Numbers(2, **other))


def test_labelled_target_images_need_labels(tmp_path):
    unlabelled = DomainPairDataset(Numbers(2), Numbers(2), target_labelled=Numbers(2))
    with pytest.raises(
        RuntimeError, match='pipeline of target_labelled gives no ground truth: add a step that loads annotations'
    ):
        unlabelled[(0, 0, 0, 0)]
    images = dict(type='GTA5Dataset', data_root=str(layouts.gta5(tmp_path)), pipeline=[])
    with pytest.raises(ValueError, match='GTA5Dataset: indices=.. selects no image'):
        DomainPairDataset(Numbers(2), Numbers(2), target_labelled=dict(images, indices=[]))


def test_ground_truth_of_the_target_is_refused():
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


def labelled_pairs(root, target_labelled: dict | None = None, **source) -> DomainPairDataset:
    steps = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), dict(type='PackSegInputs')]
    images = dict(type='GTA5Dataset', data_root=str(layouts.gta5(root)))
    target = dict(images, data_prefix=dict(img_path='images'), pipeline=[steps[0], steps[2]])
    labelled = None if target_labelled is None else dict(images, pipeline=steps, **target_labelled)
    return DomainPairDataset(dict(images, pipeline=steps, **source), target, target_labelled=labelled)


def ignore_all(sample: dict) -> dict:
    """Ignore all pixels, like a crop of a sparse label that shows no labelled pixel."""
    sample['data_samples'].gt_sem_seg.data[:] = 255
    return sample


def test_labels_that_are_all_ignored_are_told_before_training(tmp_path):
    ignoring = labelled_pairs(tmp_path / 'a', label_table={raw: 255 for raw in range(256)})
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match=r'all pixels of the 3 labels of the source are ignored.*label_table'):
        ignoring.check_labels()
    assert torch.equal(before, torch.get_rng_state())
    ignoring = labelled_pairs(tmp_path / 'd', dict(label_table={raw: 255 for raw in range(256)}, indices=2))
    with pytest.raises(ValueError, match=r'all pixels of the 2 labels of the target_labelled are ignored'):
        ignoring.check_labels()
    labelled_pairs(tmp_path / 'b').check_labels()
    sparse = labelled_pairs(tmp_path / 'c')
    sparse.source.pipeline = Compose([*sparse.source.pipeline.transforms, ignore_all])
    sparse.check_labels()  # the label files have classes, though no crop shows any
    pairs().check_labels()
