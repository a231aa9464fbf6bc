"""Rare class sampling: its draws as a policy of the sampler, and the path of the drawn class into the pipeline.

parity/test_daformer_data.py compares its probabilities and draws with values of the original.
"""

import json
from pathlib import Path

import layouts
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from processes import run_on_processes

import mmuda.datasets.class_presence as class_presence
import mmuda.datasets.transforms.loading as loading
from mmuda.datasets import DomainPairDataset, DomainPairSampler, DrawnImage, GTA5Dataset, RareClassDraws, RareClassOrder
from mmuda.datasets.pairs.domain_pair import read_item

POLICY = dict(type='RareClassOrder', min_pixels=20, min_crop_ratio=0.5, temperature=1.0)
CROP = dict(type='RandomClassCrop', size=(10, 10), cat_max_ratio=0.9)
ROAD, PERSON, TRAIN = 0, 11, 16
"""Train ids of the classes in the labels, whose ids are 7, 24 and 31."""


def write_source(root, count: int = 12):
    """Write labels (24, 32) of road, a third of them with a block of persons and two with a train."""
    for n in range(count):
        ids = np.full((24, 32), 7)
        ids[:3] = 0
        if n % 3 == 0:
            ids[5:12, 20:28] = 24
        if n in (4, 7):
            ids[18:, :5] = 31
        layouts.write(root / 'images' / f'{n:05d}.png', layouts.image(n, 24, 32))
        layouts.write_palette(root / 'labels' / f'{n:05d}.png', ids)
    return root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return write_source(tmp_path_factory.mktemp('gta'))


def source_of(root, crop: dict | None = CROP, **kwargs) -> GTA5Dataset:
    steps = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), crop, dict(type='PackSegInputs')]
    return GTA5Dataset(data_root=str(root), pipeline=[step for step in steps if step], **kwargs)


class Unlabelled(BaseDataset):
    """A target data set without labels."""

    def __init__(self, size: int, classes) -> None:
        self.size = size
        super().__init__(metainfo=dict(classes=classes), pipeline=[lambda info: dict(inputs=torch.zeros(3, 2, 2))])

    def load_data_list(self):
        return [dict(number=i) for i in range(self.size)]


def pairs(root, source=None) -> DomainPairDataset:
    source = source or source_of(root)
    return DomainPairDataset(source, Unlabelled(7, source.metainfo['classes']))


def take(sampler, count: int) -> list:
    stream = iter(sampler)
    return [next(stream) for _ in range(count)]


def sampler_of(root, seed: int = 9, **kwargs) -> DomainPairSampler:
    return DomainPairSampler(pairs(root), seed=seed, source_policy=dict(POLICY, **kwargs))


# Draws.


def test_rare_classes_are_drawn_first():
    counts = np.zeros((5, 4), int)
    counts[:, 0], counts[1, 2], counts[3, 3] = 1000, 40, 200
    draws = RareClassDraws(counts, temperature=0.3, min_pixels=10)
    assert draws.classes.tolist() == [2, 3, 0], 'a class without pixels must be left out'
    shares = counts.sum(axis=0)[[2, 3, 0]] / counts.sum()
    wanted = np.exp((1 - shares) / 0.3)
    np.testing.assert_allclose(draws.probabilities, wanted / wanted.sum(), rtol=1e-5)
    drawn = [draws.draw(np.random.RandomState(seed)) for seed in range(2000)]
    for label, probability in zip(draws.classes, draws.probabilities, strict=True):
        assert np.mean([one == label for one, _ in drawn]) == pytest.approx(probability, abs=0.04)
    assert {image for label, image in drawn if label == 2} == {1}
    assert {image for label, image in drawn if label == 0} == set(range(5))


def test_equal_classes_keep_the_order_in_which_they_are_met():
    counts = np.array([[0, 0, 5, 0], [7, 0, 2, 7], [0, 7, 0, 0]])
    assert RareClassDraws(counts, 1.0, 0).classes.tolist() == [2, 0, 3, 1]


@pytest.mark.parametrize(
    'counts, temperature, min_pixels, told',
    [
        ([[0, 0]], 0.01, 1, 'no image has any class'),
        ([[5, 3]], 0.0, 1, 'temperature must be positive'),
        ([[5, 3]], 0.01, 3, 'no image has more than 3 pixels of bus .class 1., the most are 3: choose a smaller'),
    ],
)
def test_bad_input_is_told(counts, temperature, min_pixels, told):
    with pytest.raises(ValueError, match=told):
        RareClassDraws(np.array(counts), temperature, min_pixels, ['road', 'bus'])


# The draws as a policy of the sampler.


def test_the_target_is_as_without_a_policy(root):
    drawn, uniform = take(sampler_of(root), 90), take(DomainPairSampler(pairs(root), seed=9), 90)
    assert [(n, target) for n, _, target in drawn] == [(n, target) for n, _, target in uniform]
    keys = [source.keys for _, source, _ in drawn]
    assert {key['wanted_class'] for key in keys} == {ROAD, PERSON, TRAIN}
    assert {key['wanted_pixels'] for key in keys} == {10.0}
    assert all(source.number in (4, 7) for _, source, _ in drawn if source.keys['wanted_class'] == TRAIN)
    assert sum(source.number in (4, 7) for _, source, _ in drawn) > 2 * 90 * 2 / 12
    assert take(sampler_of(root, seed=8), 90) != drawn
    assert take(sampler_of(root), 90) == drawn


@pytest.fixture
def counted(monkeypatch) -> list[int]:
    """Record how many labels each count of classes reads."""
    found, original = [], class_presence.progress
    monkeypatch.setattr(class_presence, 'progress', lambda *args: found.append(args[1]) or original(*args))
    return found


@pytest.mark.parametrize('skipped', [1, 13, 10**12])
def test_any_draw_is_found_at_once(root, skipped, counted):
    """A draw is computed without the draws before it; otherwise, skipping 10^12 of them would not end."""
    sampler = sampler_of(root)
    whole = take(sampler, 20)
    sampler.skip(skipped)
    found = take(sampler, 5)
    assert [n for n, _, _ in found] == list(range(skipped, skipped + 5))
    if skipped < 15:
        assert found == whole[skipped : skipped + 5]
    assert sum(counted) in (0, 12), 'labels must be read once at most, and not for skipping'


def test_labels_are_counted_once(tmp_path, counted):
    root = write_source(tmp_path)
    for _ in range(2):
        take(sampler_of(root), 3)
    assert counted == [12], 'the second sampler must use the cache'


def on_a_process(rank: int, root: str) -> list:
    with DefaultScope.overwrite_default_scope('mmseg'):
        drawn = take(sampler_of(Path(root)), 10)
    return [(n, source.number, dict(source.keys), target) for n, source, target in drawn]


def test_processes_share_one_stream(root, tmp_path):
    whole = [(n, source.number, dict(source.keys), target) for n, source, target in take(sampler_of(root), 20)]
    shards = run_on_processes(on_a_process, tmp_path, str(root))
    assert [one for pair in zip(*shards, strict=True) for one in pair] == whole


@pytest.mark.parametrize('workers', [0, 2])
def test_resumed_loading_goes_on(root, workers):
    """Loading continues after a resume, when mmengine's loop calls `skip` of the sampler."""

    def crops(skip: int) -> list:
        loader = Runner.build_dataloader(
            dict(
                batch_size=2,
                num_workers=workers,
                dataset=pairs(root),
                collate_fn=dict(type='pseudo_collate'),
                sampler=dict(type='DomainPairSampler', source_policy=POLICY),
            ),
            seed=3,
        )
        loader.sampler.skip(2 * skip)
        return [
            [image.tolist() for image in batch['source']['inputs']]
            for batch, _ in zip(iter(loader), range(8 - skip), strict=False)
        ]

    assert crops(3) == crops(0)[3:]


# The drawn class in the pipeline.


def test_crops_show_the_drawn_class(root):
    dataset = pairs(root)
    sampler = DomainPairSampler(dataset, seed=0, source_policy=POLICY)
    seen = {ROAD: [], PERSON: [], TRAIN: []}
    for n, source, target in take(sampler, 150):
        label = dataset[(n, source, target)]['source']['data_samples'].gt_sem_seg.data
        wanted = source.keys['wanted_class']
        seen[wanted].append((label == wanted).sum().item() > 10)
    plain = DomainPairSampler(dataset, seed=0, source_policy=dict(POLICY, min_crop_ratio=0))
    by_chance = []
    for n, source, target in take(plain, 150):
        assert source.keys == {}
        label = dataset[(n, source, target)]['source']['data_samples'].gt_sem_seg.data
        by_chance.append((label == TRAIN).sum().item() > 10 if source.number in (4, 7) else None)
    assert np.mean(seen[PERSON]) > 0.95 and np.mean(seen[TRAIN]) > 0.6
    assert np.mean([one for one in by_chance if one is not None]) < 0.35


def test_an_image_is_decoded_once(root, monkeypatch):
    dataset, read = pairs(root), []
    original = loading.read_image_bytes
    monkeypatch.setattr(loading, 'read_image_bytes', lambda path, *args: read.append(path) or original(path, *args))
    dataset[(0, DrawnImage(4, dict(wanted_class=PERSON, wanted_pixels=10)), 0)]  # the image has no person
    assert len(read) == 2, 'the image and its label must be read once each'


def test_keys_reach_every_part_of_a_concatenation(root):
    whole = ConcatDataset([source_of(root, crop=None), source_of(root, crop=None)])
    for part in whole.datasets:
        part.pipeline.transforms.insert(0, lambda info: dict(info, seen=info.get('wanted_class')))
        part.pipeline.transforms[-1].meta_keys = ('seen', 'img_path')
    for index in (0, 11, 12, 23):
        metas = [read_item(whole, DrawnImage(index, dict(wanted_class=5)))['data_samples'].metainfo]
        metas += [read_item(whole, image)['data_samples'].metainfo for image in (index, DrawnImage(index, {}))]
        assert [meta['seen'] for meta in metas] == [5, None, None], 'the keys must not stay in the data set'
        assert all(meta['img_path'].endswith(f'{index % 12:05d}.png') for meta in metas)


def test_a_pipeline_that_does_not_look_for_the_class_is_an_error(root):
    blind = source_of(root, crop=dict(type='PadCrop', size=(10, 10)))
    with pytest.raises(ValueError, match='no step of the pipeline of GTA5Dataset looks for it .*PadCrop'):
        RareClassOrder(blind, seed=0, min_pixels=20)
    with pytest.raises(ValueError, match='crop with RandomClassCrop, or set min_crop_ratio=0'):
        RareClassOrder(ConcatDataset([source_of(root), blind]), seed=0, min_pixels=20)
    assert RareClassOrder(blind, seed=0, min_pixels=20, min_crop_ratio=0)[3].keys == {}


def test_settings_are_checked(root):
    with pytest.raises(ValueError, match='must not be negative, but got -1 and 0.5'):
        RareClassOrder(source_of(root), seed=0, min_pixels=-1)
    with pytest.raises(ValueError, match='no image has more than 3000 pixels of train'):
        RareClassOrder(source_of(root), seed=0)


def test_statistics_of_other_code(root, tmp_path):
    """Class counts from files of other code bases give the same draws as counts of the labels."""
    source = source_of(root)
    table = class_presence.class_counts(source)
    rows = [
        dict({str(label): int(row[label]) for label in np.flatnonzero(row)}, file=f'x/{n:05d}_labelTrainIds.png')
        for n, row in enumerate(table)
    ]
    (tmp_path / 'sample_class_stats.json').write_text(json.dumps(rows))
    own = [RareClassOrder(source, 1, min_pixels=20)[n] for n in range(50)]
    assert [RareClassOrder(source, 1, min_pixels=20, statistics=str(tmp_path))[n] for n in range(50)] == own
