"""Tests of `tools/predict.py`, which predicts images without labels."""

import json

import cv2
import numpy as np
from commands import TOOLS, run
from PIL import Image
from predictions import CLASSES, network_config, picture, save_network


def test_a_folder_is_predicted(minicity, tmp_path):
    checkpoint = save_network(tmp_path / 'net.pth')
    network_config().dump(tmp_path / 'config.py')
    for name in ('a/x.png', 'b/x.png'):
        (tmp_path / 'images' / name).parent.mkdir(parents=True)
        cv2.imwrite(str(tmp_path / 'images' / name), picture())
    (tmp_path / 'images/notes.txt').write_text('a text')
    command = [TOOLS / 'predict.py', tmp_path / 'config.py', checkpoint, tmp_path / 'images', '--out', tmp_path / 'out']
    log = run(minicity, *command, '--overlay', '--confidence')
    assert '2 images to predict; 1 other files are left out' in log and '2 images predicted, 0 were there' in log
    assert '| ground' in log and log.count('%') == 1
    written = {path.relative_to(tmp_path / 'out').as_posix() for path in (tmp_path / 'out').rglob('x.*')}
    kinds = dict(labels='png', overlays='jpg', confidence='png')
    assert written == {f'{kind}/{folder}/x.{ending}' for kind, ending in kinds.items() for folder in 'ab'}
    assert cv2.imread(str(tmp_path / 'out/legend.png')) is not None
    shares = json.loads((tmp_path / 'out/shares.json').read_text())
    assert sum(shares['pixels']) == 2 * 40 * 56 and set(shares['images']) == {'a/x', 'b/x'}
    (tmp_path / 'images/b/x.png').write_bytes(b'nothing')
    log = run(minicity, *command, fails=True)
    assert 'error: 1 images could not be predicted; all others are done:' in log and 'b/x.png cannot be decoded' in log
    log = run(minicity, *command, '--tta', fails=True)
    assert 'was started with other settings' in log and 'Choose another folder' in log


def test_the_ids_of_own_label_files(minicity, tmp_path):
    checkpoint = save_network(tmp_path / 'net.pth')
    cfg = network_config()
    cfg.test_dataloader.dataset.update(
        type='SegmentationListDataset',
        ann_file='list.txt',
        label_classes=CLASSES,
        label_table={9: 3, 255: 2, 7: 0, 6: 0, 40: 1, 0: 255},
    )
    cfg.dump(tmp_path / 'own.py')
    network_config().dump(tmp_path / 'plain.py')
    cv2.imwrite(str(tmp_path / 'x.png'), picture())
    rest = [checkpoint, tmp_path / 'x.png', '--out', tmp_path / 'out']
    log = run(minicity, TOOLS / 'predict.py', tmp_path / 'own.py', *rest, '--format', 'own', '--no-palette')
    assert 'label maps hold the ids of test_dataloader.dataset: 6 sky, 40 ground, 255 wall, 9 thing' in log
    run(minicity, TOOLS / 'predict.py', tmp_path / 'own.py', *rest, '--no-palette')
    maps = []
    for folder in ('own_ids', 'labels'):
        with Image.open(tmp_path / 'out' / folder / 'x.png') as image:
            assert image.mode == 'L'
            maps.append(np.asarray(image))
    assert np.array_equal(maps[0], np.array([6, 40, 255, 9])[maps[1]]) and len(np.unique(maps[1])) > 1
    log = run(minicity, TOOLS / 'predict.py', tmp_path / 'plain.py', *rest, '--format', 'own', fails=True)
    assert 'plain.py has a label_table with ids of label files' in log and 'Traceback' not in log
