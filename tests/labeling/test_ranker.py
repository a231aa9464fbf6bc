"""Ranking of images into an easy and a hard list."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from labellings import files
from processes import run_on_processes

from mmuda.labeling import Ranking, rank_images

IMAGES = [f'/data/{i}.png' for i in range(7)]


def prob(place: int) -> torch.Tensor:
    """Return probabilities (5, 8, 9) that are more confident for a greater index; images 2 and 5 are equal."""
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(5, 8, 9, generator=generator) * (1 + (2 if place == 5 else place))).softmax(dim=0)


def score(p: torch.Tensor) -> float:
    p = p.double()
    return (-(p * torch.log2(p + 1e-30)) / math.log2(len(p))).mean().item()


def rank(folder: Path, network=None, **kwargs) -> Ranking:
    return rank_images(IMAGES, network or (lambda places: map(prob, places)), folder, **kwargs)


def test_low_entropy_is_easy_and_ties_keep_their_order(tmp_path):
    found = rank(tmp_path)
    order = np.argsort([score(prob(place)) for place in range(7)], kind='stable')
    assert order.tolist() == [6, 4, 3, 2, 5, 1, 0]
    assert found.easy == [IMAGES[i] for i in order[:4]] and found.hard == [IMAGES[i] for i in order[4:]]
    assert found.scores[IMAGES[3]] == pytest.approx(score(prob(3)), rel=1e-5)
    assert (tmp_path / 'easy.txt').read_text().splitlines() == found.easy
    assert (tmp_path / 'hard.txt').read_text().splitlines() == found.hard
    assert list(json.loads((tmp_path / 'scores.json').read_text())['scores']) == found.easy + found.hard


def test_rare_classes_make_images_easier(tmp_path):
    plain, normalized = rank(tmp_path / 'plain'), rank(tmp_path / 'normalized', rare_classes=[0, 4])
    for place, image in enumerate(IMAGES):
        seen = len({0, 4} & set(prob(place).argmax(dim=0).unique().tolist()))
        assert normalized.scores[image] == pytest.approx(plain.scores[image] * ((2 - seen) / 2 + 0.5))


class Killed(BaseException):
    pass


def test_interrupted_it_goes_on(tmp_path):
    asked = []

    def dying(places):
        for place in places:
            if place == 4 and not asked:
                raise Killed
            yield prob(place)

    with pytest.raises(Killed):
        rank(tmp_path / 'cut', dying, snapshot_every=0)

    def network(places):
        for place in places:
            asked.append(place)
            yield prob(place)

    assert rank(tmp_path / 'cut', network).scores == rank(tmp_path / 'whole').scores
    assert asked == [4, 5, 6]
    rank(tmp_path / 'cut', network)
    assert asked == [4, 5, 6], 'a complete ranking must not read images again'
    assert not list((tmp_path / 'cut').glob('snapshot*'))


def test_mistakes_are_told(tmp_path):
    with pytest.raises(ValueError, match='easy=1.0 of 7 images leaves one of the lists empty'):
        rank(tmp_path, easy=1.0)
    rank(tmp_path)
    with pytest.raises(RuntimeError, match='easy: was 0.67, is 0.5'):
        rank(tmp_path, easy=0.5)
    with pytest.raises(ValueError, match='not finite .*/data/0.png'):
        rank(tmp_path / 'nan', lambda places: (prob(place) * torch.nan for place in places))


def rank_on_a_process(process: int, folder: str) -> None:
    rank(Path(folder))


def test_two_processes_make_the_same_files(tmp_path):
    run_on_processes(rank_on_a_process, tmp_path, str(tmp_path / 'two'))
    rank(tmp_path / 'one')
    assert files(tmp_path / 'one') == files(tmp_path / 'two')
    assert set(files(tmp_path / 'two')) == {'easy.txt', 'hard.txt', 'scores.json'}
