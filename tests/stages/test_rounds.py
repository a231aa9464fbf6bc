"""Rounds of self-training: portions, stages, batches."""

import pytest

from mmuda.stages.rounds import CBSTRounds, check_batch, portion_schedule


def test_portions_are_a_guarded_sum():
    # The portion can exceed the maximum of 0.5, as in the original.
    assert portion_schedule(0.15, 0.05, 0.5, 10)[-3:] == [0.5, 0.55, 0.55]
    assert portion_schedule(0.3, 0.0025, 0.06, 3) == [0.3, 0.3, 0.3]


def rounds(**changes) -> CBSTRounds:
    return CBSTRounds(
        **{
            **dict(
                name='rounds',
                weights='{source}',
                num_rounds=3,
                label=dict(strategy=dict(type='ClassBalanced', portion=0.1)),
                train=dict(labels='{label}/x', prior='{prior}'),
                target_portion=dict(init=0.2, step=0.05, max=0.5),
                source_portion=dict(init=0.1, step=0.1, max=0.6),
            ),
            **changes,
        }
    )


def test_rounds_expand_into_pairs_of_stages():
    stages = rounds().expand()
    assert [stage.name for stage in stages] == [f'rounds/{r}/{kind}' for r in range(3) for kind in ('label', 'train')]
    assert [stage.weights for stage in stages] == [
        *2 * ['{source}'],
        *2 * ['{rounds/0/train}'],
        *2 * ['{rounds/1/train}'],
    ]
    assert [label.strategy['portion'] for label in stages[::2]] == [0.2, 0.25, 0.3]
    assert [train.lr_factor for train in stages[1::2]] == pytest.approx([1, 0.5**0.5, 0.5])
    assert stages[3].overrides == dict(labels='{rounds/1/label}/x', prior='{prior}')
    assert [train.sample_seed for train in stages[1::2]] == [0, 0, 0]
    assert [train.sample_seed for train in rounds(sample_policy='random', sample_seed=7).expand()[1::2]] == [0, 1, 2]


def test_mistakes_in_rounds_are_told_at_once():
    with pytest.raises(ValueError, match="sample_policy is 'all'"):
        rounds(sample_policy='all')
    with pytest.raises(ValueError, match=r"target_portion needs init, step and max, but has \['init'\]"):
        rounds(target_portion=dict(init=0.1))
    with pytest.raises(ValueError, match=r'source_portion runs through \[0.9, 1.1, 1.1\]'):
        rounds(source_portion=dict(init=0.9, step=0.2, max=1.0))


def test_a_round_does_not_go_on_with_another_batch(tmp_path):
    for _ in range(2):
        check_batch(tmp_path, 4, 'rounds/0/train')
    with pytest.raises(
        RuntimeError, match=r'started with 4 images in an iteration, now there are 8.*--restart-from rounds/0/train'
    ):
        check_batch(tmp_path, 8, 'rounds/0/train')
