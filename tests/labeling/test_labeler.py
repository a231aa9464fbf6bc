"""Label files: their content, that each is written only once, and errors."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from labellings import CLASSES, IMAGES, SIZE, Network, files, label, prob
from processes import run_on_processes

from mmuda.labeling import Argmax, ClassBalanced, ExactConfidences, Global, MedianCap, most_likely


def read(path: str) -> np.ndarray:
    return cv2.imread(path, cv2.IMREAD_UNCHANGED)


def test_thresholds_may_come_from_other_maps(tmp_path):
    """Thresholds can come from other maps than labels: in SDCA, from maps at the size of the input."""

    def coarse(places):
        for place in places:
            yield prob(place, (5, 6)) ** 2

    manifest = label(tmp_path / 'a', MedianCap(exact=True), for_statistics=coarse)
    statistics = ExactConfidences(len(CLASSES))
    for q in coarse(range(len(IMAGES))):
        statistics.add(*most_likely(q))
    np.testing.assert_allclose(manifest.thresholds, MedianCap().thresholds(statistics))
    plain = label(tmp_path / 'b', MedianCap(exact=True))
    assert plain.thresholds != manifest.thresholds and read(manifest.label_paths[0]).shape == SIZE


@pytest.mark.parametrize(
    'strategy',
    [ClassBalanced(0.4, exact=True), Global(0.3, rate=1, exact=True), MedianCap(exact=True), ClassBalanced(0.4)],
)
@pytest.mark.parametrize('with_prior', [False, True])
def test_labels_are_those_of_the_strategy(tmp_path, strategy, with_prior):
    prior = np.random.default_rng(0).random((len(CLASSES), *SIZE), dtype=np.float32) if with_prior else None
    manifest = label(tmp_path, strategy, prior=prior)
    maps = [prob(place) * (1 if prior is None else torch.from_numpy(prior)) for place in range(len(IMAGES))]
    statistics = ExactConfidences(len(CLASSES), rate=getattr(strategy, 'rate', 1))
    for q in maps:
        statistics.add(*most_likely(q))
    thresholds = strategy.thresholds(statistics)
    np.testing.assert_allclose(manifest.thresholds, thresholds, rtol=0, atol=0 if strategy.exact else 1e-4)
    assert manifest.sizes == strategy.sizes(statistics).tolist()
    counts = np.zeros(256, int)
    for path, q in zip(manifest.label_paths, maps, strict=True):
        expected = strategy.label(q, torch.tensor(manifest.thresholds)).numpy()
        np.testing.assert_array_equal(read(path), expected)
        counts += np.bincount(expected.ravel(), minlength=256)
    assert manifest.counts == counts[:4].tolist() and manifest.ignored == counts[255] > 0


def test_one_pass_labels_every_pixel(tmp_path):
    network = Network()
    manifest = label(tmp_path, Argmax(), network)
    assert network.asked == list(range(6)) and manifest.thresholds is None and manifest.sizes is None
    assert manifest.ignored == 0 and sum(manifest.counts) == 6 * SIZE[0] * SIZE[1]
    np.testing.assert_array_equal(read(manifest.label_paths[4]), prob(4).argmax(dim=0).numpy())


@pytest.mark.parametrize('strategy', [None, Argmax()])
@pytest.mark.parametrize(
    'wrong, message',
    [
        (prob(0)[:3], r'/data/x/2.png: probabilities are \(3, 12, 17\), expected \(4, H, W\)'),
        (prob(0) * torch.nan, '/data/x/2.png: probabilities are NaN: the network has diverged'),
    ],
)
def test_wrong_maps_are_told_with_their_image(tmp_path, strategy, wrong, message):
    with pytest.raises(ValueError, match=message):
        label(tmp_path, strategy, Network(map2=wrong))


def test_a_prior_of_another_size(tmp_path):
    with pytest.raises(
        ValueError, match=r'/data/x/0.png: probabilities are \(4, 12, 17\), but the prior is \(4, 5, 5\)'
    ):
        label(tmp_path, prior=np.ones((4, 5, 5), np.float32))


def test_too_few_maps_are_an_error(tmp_path):
    with pytest.raises(ValueError, match='shorter'):
        label(tmp_path, network=lambda places: (prob(place) for place in list(places)[:-1]))


def test_progress_and_disk_need_are_told(tmp_path, capsys, monkeypatch):
    said = []
    monkeypatch.setattr('mmuda.labeling.labeler.print_log', lambda text, logger: said.append(text))
    label(tmp_path)
    shown = capsys.readouterr().err
    assert 'statistics: 6/6' in shown and 'labels: 6/6' in shown and 'images/s' in shown
    need, summary = said
    assert '6 label files of about' in need and 'MB are free' in need and '| threshold' in summary


def test_a_disk_that_is_too_small_stops_before_the_first_file(tmp_path, monkeypatch):
    from collections import namedtuple

    monkeypatch.setattr('mmuda.labeling.labeler.shutil.disk_usage', lambda _: namedtuple('Usage', 'free')(100))
    with pytest.raises(OSError, match='6 label files need about .* are free: make room'):
        label(tmp_path)
    assert not list(tmp_path.rglob('*.png'))


def label_twice(rank: int, folder: str) -> None:
    label(Path(folder) / 'exact')
    label(Path(folder) / 'streamed', ClassBalanced(0.4))


def test_two_processes_make_the_same_files(tmp_path):
    run_on_processes(label_twice, tmp_path, str(tmp_path / 'two'))
    label_twice(0, str(tmp_path / 'one'))
    assert files(tmp_path / 'one') == files(tmp_path / 'two')
    assert len(files(tmp_path / 'two')) == 2 * (6 + 1)
