"""Tests of `tools/carla2camvid.py`."""

import hashlib
import importlib
from argparse import Namespace

import cv2
import numpy as np
import pytest
from commands import TOOLS, run

CAMVID_TRAIN_IDS = np.array([10, 2, 5, 0, 1, 8, 7, 4, 13, 11, 18, 255], np.uint8)
"""Sky, building, pole, road, sidewalk, tree, sign, fence, car, person, bicycle (19 classes of Cityscapes), void."""


def columns(ids: np.ndarray) -> np.ndarray:
    """Return a photograph's label with one column of 40 pixels for each of twelve ids."""
    return np.repeat(ids, 40)[None].repeat(360, axis=0)


def render_ids(car: slice) -> np.ndarray:
    """Return a render's label: a house, a road, a car, the bonnet, and nothing elsewhere."""
    ids = np.zeros((600, 800), np.uint8)
    ids[250:300] = 1
    ids[400:] = 7
    ids[car, :50] = 10
    ids[500:, 100:700] = 10
    return ids


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


@pytest.fixture
def tool(monkeypatch):
    """Return the script as a module, for clones with two renders and one photograph in each split."""
    monkeypatch.syspath_prepend(TOOLS)
    module = importlib.import_module('carla2camvid')
    digest = hashlib.sha256(columns(CAMVID_TRAIN_IDS).tobytes()).hexdigest()
    monkeypatch.setattr(module, 'SOURCE', (2, 'another digest'))
    monkeypatch.setattr(module, 'TARGET', dict.fromkeys(('train', 'val', 'test'), (1, digest)))
    return module


@pytest.fixture
def clones(tmp_path):
    """Write such clones and return the arguments of the script."""
    renders, photographs = tmp_path / 'lyft/images/stream1', tmp_path / 'segnet/CamVid'
    for name, car in (('000_0021.png', slice(200, 300)), ('000_0022.png', slice(400, 520))):
        ids = render_ids(car)
        write(renders / 'CameraSeg' / name, np.dstack([np.zeros_like(ids), np.zeros_like(ids), ids]))  # BGR: red
        write(renders / 'CameraRGB' / name, np.full((600, 800, 3), (10, 120, 230), np.uint8))
    for split in ('train', 'val', 'test'):
        write(photographs / split / f'{split}_1.png', np.full((360, 480, 3), (200, 90, 30), np.uint8))
        write(photographs / f'{split}annot' / f'{split}_1.png', columns(np.arange(12, dtype=np.uint8)))
    return Namespace(lyft=tmp_path / 'lyft', segnet=tmp_path / 'segnet', root=tmp_path / 'pair')


def test_the_pair_is_made(tool, clones, capsys):
    tool.main(clones)
    root = clones.root
    expected = np.full((360, 480), 255, np.uint8)  # nothing below the horizon
    expected[:178] = 10  # the sky: rows up to 296 of 600
    expected[150:180] = 2
    expected[240:] = 0
    expected[120:180, :30] = 13
    expected[300:, 60:420] = 255  # the bonnet, not the car beside it
    label = cv2.imread(str(root / 'source/labels/carla_000_0021.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(label, expected)
    second = cv2.imread(str(root / 'source/labels/carla_000_0022.png'), cv2.IMREAD_UNCHANGED)
    assert (second[240:312, :30] == 13).all() and (second[300:, 60:420] == 255).all()
    image = cv2.imread(str(root / 'source/images/carla_000_0021.jpg'))
    assert image.shape == (360, 480, 3) and np.abs(image - np.array([10.0, 120, 230])).max() < 4
    label = cv2.imread(str(root / 'target/labels/test/test_1.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(label, columns(CAMVID_TRAIN_IDS))
    assert {file.name: file.read_text() for file in (root / 'lists').iterdir()} == {
        'source_all.txt': 'source/images/carla_000_0021.jpg source/labels/carla_000_0021.png\n'
        'source/images/carla_000_0022.jpg source/labels/carla_000_0022.png\n',
        'target_train_labelled.txt': 'target/images/train/train_1.jpg target/labels/train/train_1.png\n',
        'target_train_unlabelled.txt': 'target/images/train/train_1.jpg\n',
        'target_val_labelled.txt': 'target/images/val/val_1.jpg target/labels/val/val_1.png\n',
        'target_test_labelled.txt': 'target/images/test/test_1.jpg target/labels/test/test_1.png\n',
    }
    told = capsys.readouterr().out
    assert 'source/labels: the 2 label maps are NOT those of the published figures' in told
    assert 'target/labels/test: the 1 label maps are those of the published figures' in told


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        (
            lambda lyft, segnet: (lyft / 'CameraRGB/000_0022.png').unlink(),
            r'CameraRGB has 1 PNG files, but must have 2',
        ),
        (lambda lyft, segnet: (segnet / 'valannot/val_1.png').unlink(), r'valannot has no label of 1 images.*val_1'),
        (
            lambda lyft, segnet: write(segnet / 'testannot/test_1.png', np.zeros((90, 120), np.uint8)),
            r'test_1.png has 120x90 pixels, but must have 480x360',
        ),
        (
            lambda lyft, segnet: write(segnet / 'testannot/test_1.png', np.full((360, 480), 12, np.uint8)),
            r'test_1.png.*12.*CamVid',
        ),
        (lambda lyft, segnet: (lyft / 'CameraSeg/000_0021.png').write_bytes(b'\x89PNG'), '000_0021.png'),
    ],
)
def test_other_files_are_refused_and_no_list_is_written(tool, clones, change, told):
    change(clones.lyft / 'images/stream1', clones.segnet / 'CamVid')
    with pytest.raises((ValueError, OSError), match=told):
        tool.main(clones)
    assert not (clones.root / 'lists').exists()


def test_the_script_names_the_commit(tmp_path):
    told = run(tmp_path, TOOLS / 'carla2camvid.py', tmp_path, tmp_path, tmp_path / 'pair', fails=True)
    assert told.startswith('error: ') and len(told.splitlines()) == 1 and 'must have 479' in told
    assert '5e5dd11' in run(tmp_path, TOOLS / 'carla2camvid.py', '--help')
