"""How well scores without labels predict the ranking by mIoU."""

import math

import pytest

from mmuda.evaluation import rank_scores

STEPS = [10, 20, 30, 40]


def run(truth, **scores):
    return {'mIoU': (STEPS, truth)} | {name: (STEPS, values) for name, values in scores.items()}


def test_a_perfect_and_a_reversed_score():
    runs = dict(a=run([1, 3, 2, 4], good=[10, 30, 20, 40], bad=[10, 30, 20, 40]))
    good, bad = rank_scores(runs, dict(good='greater', bad='less'))
    assert (good.checkpoints, good.pooled, good.regret, good.regret_of_last, good.networks) == (1, 1, 0, 0, 4)
    assert (bad.checkpoints, bad.regret) == (-1, 3)
    assert math.isnan(good.runs)


def test_spearman_by_hand():
    """rho = 1 - 6 sum d^2 / (n (n^2 - 1)); for the ranks 1 2 3 4 and 2 1 3 4, sum d^2 = 2."""
    (found,) = rank_scores(dict(a=run([1, 2, 3, 4], score=[2, 1, 3, 4])), dict(score='greater'))
    assert found.checkpoints == pytest.approx(1 - 6 * 2 / (4 * 15))


def test_runs_are_compared_by_their_last_checkpoints():
    runs = {name: run([0, 0, 9, last], score=[1, 2, 3, -last]) for name, last in dict(a=1, b=2, c=3).items()}
    (found,) = rank_scores(runs, dict(score='greater'))
    assert found.runs == -1 and found.regret == 0
    assert found.regret_of_last == pytest.approx((8 + 7 + 6) / 3)


def test_only_steps_and_values_that_both_have_count():
    runs = dict(a={'mIoU': ([10, 20, 30], [1, 2, math.nan]), 'score': ([20, 30, 40], [5, 6, 7])})
    (found,) = rank_scores(runs, dict(score='greater'))
    assert found.networks == 1 and math.isnan(found.checkpoints) and found.regret == 0


def test_scores_that_no_run_has_are_left_out():
    assert rank_scores(dict(a=run([1, 2, 3, 4])), dict(score='less')) == []


def test_unknown_rule_or_truth():
    with pytest.raises(ValueError, match='best'):
        rank_scores(dict(a=run([1, 2, 3, 4])), dict(score='best'))
    with pytest.raises(ValueError, match='mDice'):
        rank_scores(dict(a=run([1, 2, 3, 4])), dict(score='less'), 'mDice')
