"""The order of pairs depends only on the seed and n, is divided among processes, and can be skipped at no cost."""

import pytest
from toolbox import Numbers, take

import mmuda.datasets.pairs.streams as streams
from mmuda.datasets import DomainPairDataset, DomainPairSampler


def pairs(sizes=(5, 7)) -> DomainPairDataset:
    return DomainPairDataset(Numbers(sizes[0]), Numbers(sizes[1]))


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
    assert len({tuple(source[5 * e : 5 * e + 5]) for e in range(14)}) > 1, 'every pass must have another order'
    assert take(DomainPairSampler(pairs(), seed=4), 70) != drawn


def test_without_shuffling_both_run_in_order():
    assert take(DomainPairSampler(pairs(), seed=0, shuffle=False), 8) == [(n, n % 5, n % 7) for n in range(8)]


@pytest.mark.parametrize('world_size', [1, 2, 3])
def test_ranks_share_one_stream(monkeypatch, world_size):
    whole = take(DomainPairSampler(pairs(), seed=9), 30)
    shards = []
    for rank in range(world_size):
        monkeypatch.setattr(streams, 'rank_and_world_size', lambda rank=rank: (rank, world_size))
        shards.append(take(DomainPairSampler(pairs(), seed=9), 30 // world_size))
    assert sorted(sum(shards, [])) == whole


@pytest.mark.parametrize('skipped', [0, 1, 13, 10**12])
def test_skip_is_exact_and_free(monkeypatch, skipped):
    monkeypatch.setattr(streams, 'rank_and_world_size', lambda: (1, 2))
    sampler = DomainPairSampler(pairs(), seed=1)
    sampler.skip(skipped)
    found = take(sampler, 5)
    assert [n for n, _, _ in found] == [2 * (skipped + i) + 1 for i in range(5)]
    if skipped < 100:
        assert found == take(DomainPairSampler(pairs(), seed=1), skipped + 5)[skipped:]


def few_labelled(images: int = 3) -> DomainPairDataset:
    return DomainPairDataset(Numbers(5), Numbers(7), target_labelled=Numbers(images))


def test_few_labelled_target_images_come_again_and_again():
    drawn = take(DomainPairSampler(few_labelled(), seed=3), 60)
    assert [sample[:3] for sample in drawn] == take(DomainPairSampler(pairs(), seed=3), 60), (
        'source and target must not change'
    )
    passes = [[image for *_, image in drawn[n : n + 3]] for n in range(0, 60, 3)]
    assert all(sorted(one) == [0, 1, 2] for one in passes) and len(set(map(tuple, passes))) > 1
    in_order = take(DomainPairSampler(few_labelled(), seed=0, shuffle=False), 8)
    assert in_order == [(n, n % 5, n % 7, n % 3) for n in range(8)]
    assert len(DomainPairSampler(few_labelled(images=9), seed=0)) == 7, (
        'labelled target images must not change the length'
    )


def test_labelled_target_images_are_shared_by_ranks_and_skipped(monkeypatch):
    whole = take(DomainPairSampler(few_labelled(), seed=9), 40)
    shards = []
    for rank in range(2):
        monkeypatch.setattr(streams, 'rank_and_world_size', lambda rank=rank: (rank, 2))
        sampler = DomainPairSampler(few_labelled(), seed=9)
        sampler.skip(7)
        shards += take(sampler, 13)
    assert sorted(shards) == whole[14:]


def test_skip_refuses_to_go_back():
    with pytest.raises(ValueError, match='negative'):
        DomainPairSampler(pairs(), seed=0).skip(-1)


def test_the_sampler_wants_pairs():
    with pytest.raises(TypeError, match='needs a DomainPairDataset'):
        DomainPairSampler(Numbers(3), seed=0)


@pytest.mark.parametrize('world_size', [1, 2])
def test_fewer_source_than_target_images(monkeypatch, world_size):
    """A batch of four items holds two source and four target images. An epoch draws each source image once."""
    drawn = []
    for rank in range(world_size):
        monkeypatch.setattr(streams, 'rank_and_world_size', lambda rank=rank: (rank, world_size))
        sampler = DomainPairSampler(pairs((6, 7)), seed=3, every=dict(source=2))
        count = 12 // world_size
        found = take(sampler, count)
        assert [source is None for _, source, _ in found] == [False, True] * (count // 2)
        drawn += [source for _, source, _ in found if source is not None]
        sampler.skip(4)
        assert take(sampler, count - 4) == found[4:]
    assert sorted(drawn) == list(range(6))


def test_an_item_may_have_no_source():
    dataset = pairs()
    sampler = DomainPairSampler(dataset, seed=0, every=dict(source=2))
    assert [sorted(dataset[index]) for index in take(sampler, 3)] == [
        ['source', 'target'],
        ['target'],
        ['source', 'target'],
    ]
    for wrong in (dict(source=0), dict(source=2, target=2), dict(both=2)):
        with pytest.raises(ValueError, match='expected a whole number for one domain'):
            DomainPairSampler(dataset, every=wrong)
