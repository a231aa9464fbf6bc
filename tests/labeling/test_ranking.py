"""Scores and splits. Numbers of the authors' code are in tests/parity/test_intrada_ranking.py."""

import math

import numpy as np
import pytest
import torch

from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.labeling import RARE_CLASSES, entropy_score, rare_factor, split_by_score


@pytest.mark.parametrize('classes', [2, 5, 19])
def test_score_of_known_predictions(classes):
    sure = torch.zeros(classes, 4, 6)
    sure[1] = 1
    assert entropy_score(sure).item() == 0
    unsure = torch.full((classes, 4, 6), 1 / classes)
    assert entropy_score(unsure).item() == pytest.approx(1 / classes, rel=1e-6)
    half = torch.cat([sure, unsure], dim=2)
    assert entropy_score(half).item() == pytest.approx(0.5 / classes, rel=1e-6)


@pytest.mark.parametrize('size', [(1, 1), (9, 13), (700, 900)])
def test_score_is_the_formula(size):
    prob = (torch.randn(7, *size, generator=torch.Generator().manual_seed(0)) * 3).softmax(dim=0)
    before = prob.clone()
    p = prob.double().numpy()
    assert entropy_score(prob).item() == pytest.approx(-(p * np.log2(p + 1e-30)).mean() / math.log2(7), rel=2e-6)
    assert torch.equal(prob, before)


def test_rare_classes_of_the_paper():
    assert [CITYSCAPES_CLASSES.index(name) for name in RARE_CLASSES] == [3, 4, 5, 6, 7, 9, 12, 14, 15, 16, 17]


@pytest.mark.parametrize('size', [(2, 3), (37, 11), (512, 1024)])
def test_one_pixel_of_a_rare_class_suffices(size):
    labels = torch.zeros(size, dtype=torch.uint8)
    assert rare_factor(labels, [3, 4, 5]) == 1.5
    labels[0, 1] = 4
    assert rare_factor(labels, [3, 4, 5]) == 2 / 3 + 0.5
    labels[1] = 3
    labels[0, 0] = 5
    assert rare_factor(labels, [3, 4, 5]) == 0.5
    assert rare_factor(labels, [200]) == 1.5
    with pytest.raises(ValueError, match='rare_classes is empty'):
        rare_factor(labels, [])


@pytest.mark.parametrize('easy, number', [(0, 0), (0.67, 3), (0.5, 2), (1, 5)])
def test_split(easy, number):
    names, scores = list('abcde'), [0.3, 0.1, 0.3, 0.2, 0.1]
    ranked = ['b', 'e', 'd', 'a', 'c']  # equal scores keep their order
    assert split_by_score(names, scores, easy) == (ranked[:number], ranked[number:])


def test_split_of_cityscapes():
    easy, hard = split_by_score([str(i) for i in range(2975)], np.random.default_rng(0).random(2975))
    assert (len(easy), len(hard)) == (1993, 982)


@pytest.mark.parametrize(
    'arguments, says',
    [
        (dict(easy=1.5), r'easy=1.5: must be in \[0, 1\]'),
        (dict(scores=[1, 2]), '3 names, but 2 scores'),
        (dict(scores=[1, float('nan'), 2]), r'1 images are not finite \(the first: b\)'),
    ],
)
def test_bad_input(arguments, says):
    with pytest.raises(ValueError, match=says):
        split_by_score(**{'names': list('abc'), 'scores': [1, 2, 3], **arguments})
