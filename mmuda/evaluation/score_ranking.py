"""Quality of scores without labels: how well they rank networks, compared with a score that needs labels."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

Curve = tuple[Sequence[int], Sequence[float]]
"""Iterations, and the value of a score at each of them."""


class Ranking(NamedTuple):
    """Correlation of a score with the truth, and the loss from choosing checkpoints by this score.

    The truth is the score that needs labels. Correlations are Spearman's; they are positive if the score orders
    checkpoints like the truth. They are NaN for fewer than three checkpoints, or if score or truth is constant.

    Attributes:
        score: Name of the score.
        rule: 'greater' or 'less': values of better networks.
        checkpoints: Correlation over the checkpoints of a run, averaged over the runs.
        runs: Correlation over the last checkpoints of all runs.
        pooled: Correlation over all checkpoints of all runs.
        regret: Truth of the best checkpoint of a run minus truth of the checkpoint that the score selects, averaged
            over the runs.
        regret_of_last: The same, if the last checkpoint of each run is selected.
        networks: Number of checkpoints.
    """

    score: str
    rule: str
    checkpoints: float
    runs: float
    pooled: float
    regret: float
    regret_of_last: float
    networks: int


def rank_scores(
    runs: Mapping[str, Mapping[str, Curve]], scores: Mapping[str, str], truth: str = 'mIoU'
) -> list[Ranking]:
    """Return how well scores rank checkpoints, compared with the truth.

    Args:
        runs: For each run, the curves of its scores by name.
        scores: 'greater' or 'less' for each score, see :attr:`Ranking.rule`.
        truth: Name of the score that needs labels; greater is better.

    Returns:
        A ranking for each score that some run has at an iteration where it also has the truth.

    Raises:
        ValueError: If a rule is unknown, or no run has the truth.
    """
    wrong = {name: rule for name, rule in scores.items() if rule not in ('greater', 'less')}
    if wrong:
        raise ValueError(f"the rules of scores must be 'greater' or 'less', not {wrong}")
    if not any(truth in curves for curves in runs.values()):
        raise ValueError(
            f'no run has {truth!r}; they have {sorted({name for curves in runs.values() for name in curves})}'
        )
    found = []
    for score, rule in scores.items():
        pairs = [_pairs(curves, score, truth) for curves in runs.values() if score in curves and truth in curves]
        pairs = [pair for pair in pairs if len(pair)]
        if pairs:
            found.append(_ranking(score, rule, pairs))
    return found


def _pairs(curves: Mapping[str, Curve], score: str, truth: str) -> np.ndarray:
    """Return score and truth, (n, 2), at the iterations where both are finite."""
    known, right = (dict(zip(*curves[name], strict=True)) for name in (score, truth))
    rows = [(known[step], right[step]) for step in sorted(known.keys() & right.keys())]
    pairs = np.array(rows, dtype=float).reshape(-1, 2)
    return pairs[np.isfinite(pairs).all(axis=1)]


def _ranking(score: str, rule: str, pairs: list[np.ndarray]) -> Ranking:
    sign = 1 if rule == 'greater' else -1
    pairs = [pair * (sign, 1) for pair in pairs]
    within = [value for value in map(_spearman, pairs) if not math.isnan(value)]
    best = [pair[:, 1].max() for pair in pairs]
    picked = [pair[pair[:, 0].argmax(), 1] for pair in pairs]
    last = np.array([pair[-1] for pair in pairs])
    return Ranking(
        score,
        rule,
        checkpoints=float(np.mean(within)) if within else math.nan,
        runs=_spearman(last),
        pooled=_spearman(np.concatenate(pairs)),
        regret=float(np.mean(np.subtract(best, picked))),
        regret_of_last=float(np.mean(np.subtract(best, last[:, 1]))),
        networks=sum(map(len, pairs)),
    )


def _spearman(pairs: np.ndarray) -> float:
    """Return Spearman's correlation of two columns (n, 2); NaN if one is constant or for fewer than three rows."""
    if len(pairs) < 3 or (np.ptp(pairs, axis=0) == 0).any():
        return math.nan
    from scipy import stats  # imported here, so that `import mmuda` is fast

    return float(stats.spearmanr(pairs[:, 0], pairs[:, 1]).statistic)
