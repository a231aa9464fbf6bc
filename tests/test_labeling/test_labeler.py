"""Label files: what is in them, that they are made once, and what is said when something is wrong."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmuda.labeling import (
    Argmax,
    ClassBalanced,
    ExactConfidences,
    Global,
    Manifest,
    MedianCap,
    label_images,
    most_likely,
)
from mmuda.labeling.writer import LabelWriter

CLASSES = ('a', 'b', 'c', 'd')
IMAGES = [f'/data/{town}/{i}.png' for town in ('x', 'y') for i in range(3)]
SIZE = (12, 17)


def prob(place: int, size=SIZE) -> torch.Tensor:
    generator = torch.Generator().manual_seed(place)
    return (4 * torch.randn(len(CLASSES), *size, generator=generator)).softmax(dim=0)


class Network:
    """Counts what it is asked for."""

    def __init__(self, **changes) -> None:
        self.asked, self.changes = [], changes

    def __call__(self, places):
        for place in places:
            self.asked.append(place)
            yield self.changes.get(f'map{place}', prob(place))


def label(folder: Path, strategy=None, network=None, images=IMAGES, classes=CLASSES, **kwargs) -> Manifest:
    network = Network() if network is None else network
    return label_images(images, network, folder, strategy or ClassBalanced(0.4, rate=1, exact=True), classes, **kwargs)


def read(path: str) -> np.ndarray:
    return cv2.imread(path, cv2.IMREAD_UNCHANGED)


def test_thresholds_may_come_from_other_maps(tmp_path):
    """SDCA takes them at the size of the input and labels at that of the image."""

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


def test_names_keep_what_tells_images_apart(tmp_path):
    manifest = label(tmp_path)
    assert manifest.labels == [os.path.join('labels', town, f'{i}.png') for town in ('x', 'y') for i in range(3)]
    with pytest.raises(ValueError, match='/a/1.jpg and /a/1.png would have the same label file'):
        label(tmp_path / 'other', images=['/a/1.jpg', '/a/1.png'])
    with pytest.raises(ValueError, match='there are no images'):
        label(tmp_path / 'other', images=[])


def test_nothing_is_made_twice(tmp_path):
    first = label(tmp_path)
    times = {path: os.stat(path).st_mtime_ns for path in first.label_paths}
    network = Network()
    assert label(tmp_path, network=network) == first and network.asked == []
    # Files that were lost are made again, whether the labelling was complete or not.
    for status in ('running', 'done'):
        change_manifest(tmp_path, status=status)
        for path in first.label_paths[2:4]:
            os.unlink(path)
        network = Network()
        assert label(tmp_path, network=network) == first and network.asked == [2, 3]
        kept = [path for path in first.label_paths if path not in first.label_paths[2:4]]
        assert all(os.stat(path).st_mtime_ns == times[path] for path in kept)


def change_manifest(folder: Path, *without: str, **changes) -> dict:
    """Rewrite the manifest of a folder."""
    content = {**json.loads((folder / 'manifest.json').read_text()), **changes}
    content = {key: value for key, value in content.items() if key not in without}
    (folder / 'manifest.json').write_text(json.dumps(content))
    return content


def test_labellings_of_earlier_versions_are_read(tmp_path):
    first = label(tmp_path, facts=dict(weights='abc'))
    change_manifest(tmp_path, 'status', 'prior', format=1)
    assert Manifest.read(tmp_path) == first
    network = Network()
    assert label(tmp_path, network=network, facts=dict(weights='abc')) == first and not network.asked
    with pytest.raises(RuntimeError, match='facts.weights: was "abc", is "other"'):
        label(tmp_path, facts=dict(weights='other'))


def test_an_interrupted_labelling_of_an_earlier_version_goes_on(tmp_path):
    first = label(tmp_path)
    names = 'x/0 x/1 x/2 y/0 y/1 y/2'.split()
    listed = hashlib.sha256('\n'.join(os.path.join('labels', f'{name}.png') for name in names).encode()).hexdigest()
    strategy = ClassBalanced(0.4, rate=1, exact=True).describe()
    plan = dict(strategy=strategy, classes=list(CLASSES), facts={}, prior=None, images=6, list=listed)
    (tmp_path / 'plan.json').write_text(json.dumps(plan))
    (tmp_path / 'thresholds.json').write_text(json.dumps(dict(thresholds=first.thresholds, sizes=first.sizes)))
    (tmp_path / 'manifest.json').unlink()
    os.unlink(first.label_paths[5])
    with pytest.raises(RuntimeError, match='strategy.portion: was 0.4, is 0.5'):
        label(tmp_path, ClassBalanced(0.5, rate=1, exact=True))
    network = Network()
    assert label(tmp_path, network=network) == first and network.asked == [5]
    assert sorted(path.name for path in tmp_path.iterdir()) == ['labels', 'manifest.json']


class Killed(BaseException):
    pass


@pytest.mark.parametrize('after', [1, 4, 6, 7, 9, 11])
def test_interrupted_anywhere_it_ends_alike(tmp_path, after):
    class Dying(Network):
        def __call__(self, places):
            for item in super().__call__(places):
                if len(self.asked) > after:
                    raise Killed
                yield item

    whole = label(tmp_path / 'whole')
    network = Dying()
    with pytest.raises(Killed):
        label(tmp_path / 'cut', network=network, snapshot_every=0)
    rest = Network()
    label(tmp_path / 'cut', network=rest, snapshot_every=0)
    assert files(tmp_path / 'whole') == files(tmp_path / 'cut')
    assert len(rest.asked) <= 2 * len(IMAGES) - after + 4, 'statistics went on from the snapshot'
    assert whole == label(tmp_path / 'whole')


def files(folder: Path) -> dict:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(strategy=ClassBalanced(0.5, rate=1, exact=True)), 'strategy.portion: was 0.4, is 0.5'),
        (dict(facts=dict(weights='other')), 'facts.weights: was null, is "other"'),
        (dict(images=IMAGES[:5]), 'labels: was'),
        (dict(classes=('a', 'b', 'c', 'e')), 'classes.3: was'),
        (dict(prior=np.ones((4, *SIZE), np.float32)), 'prior: was null'),
    ],
)
def test_a_folder_belongs_to_what_it_was_begun_for(tmp_path, changes, message):
    label(tmp_path)
    with pytest.raises(RuntimeError, match=f'(?s)was begun for something else:.*{message}.*--restart-from STAGE'):
        label(tmp_path, **changes)


def test_foreign_labels_are_not_taken_for_ours(tmp_path):
    (tmp_path / 'labels').mkdir()
    with pytest.raises(RuntimeError, match='holds labels, but no manifest.json'):
        label(tmp_path)


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


def test_errors_of_writing_surface(tmp_path):
    (tmp_path / 'labels').write_text('a file where a folder should be')
    with pytest.raises(OSError, match='labels'), LabelWriter(1) as writer:
        for _ in range(5):
            writer.put(tmp_path / 'labels/a.png', torch.zeros(4, 4, dtype=torch.uint8))


@pytest.mark.parametrize(
    'damage, error, message',
    [
        (
            lambda folder: (folder / 'manifest.json').unlink(),
            FileNotFoundError,
            'holds labels, but no manifest.json.*run it again',
        ),
        (lambda folder: (folder / 'manifest.json').write_text('{"for'), ValueError, 'manifest.json cannot be used'),
        (
            lambda folder: (folder / 'manifest.json').write_text('{"format": 0}'),
            ValueError,
            'format 0, expected one of',
        ),
        (lambda folder: (folder / 'manifest.json').write_text('{"format": 1}'), ValueError, 'cannot be used'),
        (
            lambda folder: (folder / 'labels/x/1.png').unlink(),
            FileNotFoundError,
            '1 of 6 label files .* the first is labels/x/1.png',
        ),
    ],
)
def test_a_damaged_labelling_is_one_clear_error(tmp_path, damage, error, message):
    label(tmp_path)
    damage(tmp_path)
    with pytest.raises(error, match=message):
        Manifest.read(tmp_path)


def test_a_folder_without_labels(tmp_path):
    with pytest.raises(FileNotFoundError, match='is no folder of pseudo labels'):
        Manifest.read(tmp_path)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    manifest = label(tmp_path, facts=dict(weights='abc', config='def'))
    assert Manifest.read(tmp_path) == manifest
    content = json.loads((tmp_path / 'manifest.json').read_text())
    assert content['facts'] == dict(weights='abc', config='def') and content['strategy']['type'] == 'ClassBalanced'
    assert content['thresholds'] == manifest.thresholds


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


RANKS = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from mmuda.engine.distributed import start_gloo
from test_labeler import label
from test_rank_images import rank
from mmuda.labeling import ClassBalanced
import torch.distributed as dist
start_gloo()
folder = Path({folder!r})
label(folder / 'exact')
label(folder / 'streamed', ClassBalanced(0.4))
rank(folder / 'ranking')
dist.barrier()
dist.destroy_process_group()
"""


def test_two_processes_make_the_same_files(tmp_path):
    from test_rank_images import rank

    script = tmp_path / 'ranks.py'
    script.write_text(RANKS.format(tests=str(Path(__file__).parent), folder=str(tmp_path / 'two')))
    subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', str(script)],
        check=True,
        capture_output=True,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        timeout=300,
    )
    label(tmp_path / 'one/exact')
    label(tmp_path / 'one/streamed', ClassBalanced(0.4))
    rank(tmp_path / 'one/ranking')
    assert files(tmp_path / 'one') == files(tmp_path / 'two')
    assert len(files(tmp_path / 'two')) == 2 * (6 + 1) + 3
