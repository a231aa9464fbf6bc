"""The class-balanced order of source images: its rule, and its use as a policy of the sampler."""

import tracemalloc

import layouts
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner
from toolbox import take

import mmuda.datasets.pairs.class_balanced as class_balanced
import mmuda.datasets.pairs.streams as streams
from mmuda.datasets import (
    ClassBalancedOrder,
    DomainPairDataset,
    DomainPairSampler,
    GTA5Dataset,
    class_balanced_sequence,
    classes_present,
)
from mmuda.datasets.pairs.class_balanced import ClassBalancedDraws
from mmuda.registry import SOURCE_ORDERS

POLICY = dict(type='ClassBalancedOrder')


def literal(lists, presence, num_draws, random, sub_epoch):
    """Return the drawn images by the rule of the paper, written step by step with NumPy's generator."""
    lists = [list(images) for images in lists]
    places, drawn = [0] * len(lists), []
    while len(drawn) < num_draws:
        histogram = np.zeros(len(lists))
        for _ in range(sub_epoch):
            q = histogram / max(histogram.sum(), 1)
            weights = 1 / np.log(1.01 + q)
            label = random.choice(len(lists), p=weights / weights.sum())
            if places[label] >= len(lists[label]):
                random.shuffle(lists[label])
                places[label] %= len(lists[label]) - 1
            drawn.append(lists[label][places[label]])
            places[label] += 1
            histogram += presence[drawn[-1]]
    return drawn[:num_draws]


def random_presence(seed: int, images: int = 30, classes: int = 6) -> np.ndarray:
    """Return which classes each image shows (images, classes), from common to rare, each class at least twice."""
    presence = np.random.default_rng(seed).random((images, classes)) < np.linspace(0.95, 0.08, classes)
    presence[:2] = True
    return presence


def lists_of(presence: np.ndarray) -> list:
    return [np.flatnonzero(there) for there in presence.T]


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('sub_epoch, num_draws', [(3000, 500), (50, 500), (64, 300), (1, 40)])
def test_the_rule(seed, sub_epoch, num_draws):
    presence = random_presence(seed)
    found = class_balanced_sequence(lists_of(presence), presence, num_draws, np.random.RandomState(seed), sub_epoch)
    assert found.shape == (num_draws,) and found.dtype == np.int32
    assert found.tolist() == literal(lists_of(presence), presence, num_draws, np.random.RandomState(seed), sub_epoch)


def test_rare_classes_come_more_often():
    presence = random_presence(0, images=400, classes=8)
    drawn = class_balanced_sequence(lists_of(presence), presence, 9000, np.random.RandomState(0))
    balanced, uniform = presence[drawn].mean(axis=0), presence.mean(axis=0)
    assert balanced[-1] > 2 * uniform[-1] and balanced[0] <= uniform[0] + 0.05


def test_the_arguments_stay_as_they_are():
    presence, lists = random_presence(1), lists_of(random_presence(1))
    class_balanced_sequence(lists, presence, 1000, np.random.RandomState(0))
    assert [images.tolist() for images in lists] == [images.tolist() for images in lists_of(presence)]


def test_after_a_list_comes_its_second_image_shuffled():
    presence = np.ones((5, 1), bool)
    drawn = class_balanced_sequence([[4, 2, 0, 1, 3]], presence, 13, np.random.RandomState(3), sub_epoch=13)
    assert drawn[:5].tolist() == [4, 2, 0, 1, 3]
    for start in (5, 9):
        assert len(set(drawn[start : start + 4])) == 4, 'a later pass must skip one of the five images'


@pytest.mark.parametrize('lists, image', [([[3]], 3), ([[], [3], []], 3)])
def test_one_image_and_missing_classes(lists, image):
    presence = np.zeros((5, len(lists)), bool)
    presence[3, [bool(images) for images in lists]] = True
    assert class_balanced_sequence(lists, presence, 10, np.random.RandomState(0), 4).tolist() == [image] * 10


def test_missing_classes_leave_the_others_alone():
    presence = random_presence(2)
    wide = np.insert(presence, [0, 3, 6], False, axis=1)
    found = class_balanced_sequence(lists_of(wide), wide, 600, np.random.RandomState(5), 100)
    expected = class_balanced_sequence(lists_of(presence), presence, 600, np.random.RandomState(5), 100)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(
    'lists, presence, sub_epoch, told',
    [
        ([[], []], np.zeros((3, 2)), 10, 'no image has any class'),
        ([[0]], np.ones((3, 2)), 10, r'presence must be \(images, 1\) for 1 lists, but is \(3, 2\)'),
        ([[0]], np.ones((3, 1)), 0, 'at least 1 draw, but got 0'),
    ],
)
def test_bad_input_is_told(lists, presence, sub_epoch, told):
    with pytest.raises(ValueError, match=told):
        class_balanced_sequence(lists, presence, 5, np.random.RandomState(0), sub_epoch)


def test_no_draws():
    assert class_balanced_sequence([[0]], np.ones((1, 1)), 0, np.random.RandomState(0)).shape == (0,)


# The order as a policy of the sampler.


class Unlabelled(BaseDataset):
    """A target data set without labels."""

    def __init__(self, size: int, classes) -> None:
        self.size = size
        super().__init__(metainfo=dict(classes=classes), pipeline=[lambda info: dict(inputs=torch.zeros(3, 2, 2))])

    def load_data_list(self):
        return [dict(number=i) for i in range(self.size)]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Write twelve labels: road in all, train in two, bus in none."""
    root = tmp_path_factory.mktemp('gta')
    rng = np.random.default_rng(0)
    for n in range(12):
        ids = rng.choice([0, 7, 8, 26] + ([31] if n in (3, 8) else []), (6, 8))
        layouts.write(root / 'images' / f'{n:05d}.png', layouts.image(n, 6, 8))
        layouts.write_palette(root / 'labels' / f'{n:05d}.png', ids)
    return root


def pairs(root) -> DomainPairDataset:
    source = GTA5Dataset(
        data_root=str(root),
        pipeline=[dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), dict(type='PackSegInputs')],
    )
    return DomainPairDataset(source, Unlabelled(7, source.metainfo['classes']))


def sampler_of(root, seed: int = 9, **kwargs) -> DomainPairSampler:
    return DomainPairSampler(pairs(root), seed=seed, source_policy=dict(POLICY, sub_epoch=20, **kwargs))


def test_the_target_is_as_without_a_policy(root):
    drawn, uniform = take(sampler_of(root), 90), take(DomainPairSampler(pairs(root), seed=9), 90)
    assert [(n, target) for n, _, target in drawn] == [(n, target) for n, _, target in uniform]
    assert [source for _, source, _ in drawn] != [source for _, source, _ in uniform]
    trains = [source in (3, 8) for _, source, _ in drawn]
    assert np.mean(trains) > 1.5 * 2 / 12
    assert take(sampler_of(root, seed=8), 90) != drawn
    assert take(sampler_of(root), 90) == drawn


def test_the_stream_is_the_sequence(root, monkeypatch):
    """The n-th image of the order is the n-th of the sequence over shuffled lists, in any order of access."""
    seen = []
    original = ClassBalancedDraws.__init__
    monkeypatch.setattr(
        ClassBalancedDraws,
        '__init__',
        lambda self, lists, presence, random, sub_epoch: (
            seen.append(([images.copy() for images in lists], random.get_state())),
            original(self, lists, presence, random, sub_epoch),
        )[1],
    )
    order = ClassBalancedOrder(pairs(root).source, seed=4, sub_epoch=20)
    (lists, state), presence = seen[0], classes_present(pairs(root).source)
    assert [sorted(images) for images in lists] == [images.tolist() for images in lists_of(presence)]
    assert any(images.tolist() != sorted(images) for images in lists)
    random = np.random.RandomState()
    random.set_state(state)
    expected = class_balanced_sequence(lists, presence, 100, random, 20).tolist()
    for n in (0, 5, 99, 98, 3, 20, 19, 60, 61, 0):
        assert order[n] == expected[n]


@pytest.mark.parametrize('world_size', [1, 2, 3])
def test_ranks_share_one_stream(root, monkeypatch, world_size):
    whole = take(sampler_of(root), 90)
    shards = []
    for rank in range(world_size):
        monkeypatch.setattr(streams, 'rank_and_world_size', lambda rank=rank: (rank, world_size))
        shards.append(take(sampler_of(root), 90 // world_size))
    assert [item for items in zip(*shards, strict=True) for item in items] == whole


@pytest.mark.parametrize('skipped', [0, 1, 13, 55])
def test_skip_is_exact(root, monkeypatch, skipped):
    monkeypatch.setattr(streams, 'rank_and_world_size', lambda: (1, 2))
    sampler = sampler_of(root)
    sampler.skip(skipped)
    assert take(sampler, 5) == take(sampler_of(root), skipped + 5)[skipped:]
    sampler.skip(0)
    assert take(sampler, 5) == take(sampler_of(root), 5), 'it must also go back to the start'


def test_skipping_makes_each_draw_once_and_keeps_one_block(monkeypatch):
    """Skipping makes each draw once and keeps only one block of draws, at the size of GTA5 with its 500,000 draws."""
    presence = np.random.default_rng(0).random((25000, 19)) < np.linspace(1, 0.02, 19)
    monkeypatch.setattr(class_balanced, 'classes_present', lambda dataset, min_pixels: presence)
    order = ClassBalancedOrder(Unlabelled(3, tuple('abcdefghijklmnopqrs')), seed=0)
    blocks, next_block = [], ClassBalancedDraws.next_block
    monkeypatch.setattr(ClassBalancedDraws, 'next_block', lambda draws: blocks.append(1) or next_block(draws))
    order[0]
    tracemalloc.start()
    order[20_000]
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(blocks) == 20_000 // class_balanced.SUB_EPOCH + 1
    assert kept < 2 * class_balanced.SUB_EPOCH * 4, 'only one block of draws must be kept'


def test_missing_classes_are_told_once(root, monkeypatch):
    lines = []
    monkeypatch.setattr(class_balanced, 'print_log', lambda text, logger: lines.append(text))
    take(sampler_of(root), 300)
    assert len(lines) == 1 and 'no source image has the classes ' in lines[0]
    assert 'bus' in lines[0] and 'truck' in lines[0] and 'train' not in lines[0].replace('traffic', '')


def test_few_pixels_may_not_count(root):
    source = pairs(root).source
    pixels = np.array(
        [[(source[n]['data_samples'].gt_sem_seg.data == c).sum().item() for c in range(19)] for n in range(12)]
    )
    # Only the two most frequent classes have this many pixels in an image.
    enough = int(np.sort(pixels.max(axis=0))[-2])
    order = ClassBalancedOrder(source, seed=0, min_pixels=enough)
    drawn = {order[n] for n in range(200)}
    assert drawn == set(np.flatnonzero((pixels >= enough).any(axis=1)))
    every = ClassBalancedOrder(source, seed=0)
    assert len(drawn) < 12 == len({every[n] for n in range(200)})


def test_a_config_names_it(root):
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=0,
            dataset=pairs(root),
            sampler=dict(type='DomainPairSampler', source_policy=POLICY),
        ),
        seed=11,
    )
    batch = next(iter(loader))
    assert set(batch) == {'source', 'target'}
    assert SOURCE_ORDERS.get('ClassBalancedOrder') is ClassBalancedOrder
    uniform = Runner.build_dataloader(
        dict(
            batch_size=2, num_workers=0, dataset=pairs(root), sampler=dict(type='DomainPairSampler', source_policy=None)
        ),
        seed=11,
    )
    assert take(uniform.sampler, 20) == take(DomainPairSampler(pairs(root), seed=11), 20)


def test_in_order_and_at_random_contradict_each_other(root):
    with pytest.raises(ValueError, match='ClassBalancedOrder draws at random, which shuffle=False forbids'):
        DomainPairSampler(pairs(root), seed=0, shuffle=False, source_policy=POLICY)


def test_labels_without_any_class(tmp_path):
    layouts.write(tmp_path / 'images' / '1.png', layouts.image(0))
    layouts.write_palette(tmp_path / 'labels' / '1.png', np.zeros((layouts.H, layouts.W)))
    with pytest.raises(ValueError, match='no image has any class'):
        DomainPairSampler(pairs(tmp_path), seed=0, source_policy=POLICY)


@pytest.mark.parametrize('workers', [0, 2])
def test_resumed_loading_goes_on(root, workers):
    """Loading continues after a resume, when mmengine's loop calls `skip` of the sampler."""

    def names(skip: int) -> list:
        loader = Runner.build_dataloader(
            dict(
                batch_size=2,
                num_workers=workers,
                dataset=pairs(root),
                collate_fn=dict(type='pseudo_collate'),
                sampler=dict(type='DomainPairSampler', source_policy=dict(POLICY, sub_epoch=5)),
            ),
            seed=3,
        )
        loader.sampler.skip(2 * skip)
        return [
            [sample.img_path for sample in batch['source']['data_samples']]
            for batch, _ in zip(iter(loader), range(8 - skip), strict=False)
        ]

    assert names(3) == names(0)[3:]
