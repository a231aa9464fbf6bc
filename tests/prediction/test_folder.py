"""Predictions of many images, written into a folder."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from predictions import CLASSES, PALETTE, network_config, picture
from processes import run_on_processes

import mmuda
from mmuda.prediction import Outputs, find_images, get_format, predict_folder
from mmuda.prediction.formats import ServerFormat
from mmuda.visualization import legend_picture


def labels(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted(folder.rglob('*.png')):
        with Image.open(path) as image:
            found[path.relative_to(folder).with_suffix('').as_posix()] = np.asarray(image)
    return found


@pytest.fixture(scope='module')
def predictor(checkpoint):
    return mmuda.predict(network_config(), checkpoint)


def predict_into(folder: Path, predictor, *inputs, **outputs):
    entries = find_images(inputs, folder).entries
    return predict_folder(predictor, entries, Outputs(folder, predictor.classes, **outputs), num_workers=0)


def test_everything_is_written(predictor, images, tmp_path):
    done = predict_into(tmp_path / 'out', predictor, images, overlay=True, confidence=True)
    assert (done.predicted, done.skipped, done.failed) == (3, 0, {})
    found, sure = labels(tmp_path / 'out/labels'), labels(tmp_path / 'out/confidence')
    assert set(found) == set(sure) == {'a/one', 'a/two', 'b/deep/one'}
    for name, label in found.items():
        (image,) = images.glob(f'{name}.*')
        wanted = predictor(image)
        assert np.array_equal(label, wanted.label)
        assert np.array_equal(sure[name], np.rint(255 * wanted.confidence))
        overlay = cv2.imread(str(tmp_path / f'out/overlays/{name}.jpg'))
        colours = np.array(PALETTE)[label][..., ::-1]
        assert np.abs(overlay.astype(int) - (cv2.imread(str(image)).astype(int) + colours) / 2).mean() < 12
    with Image.open(tmp_path / 'out/labels/a/one.png') as image:
        assert image.mode == 'P' and image.getpalette()[: 3 * 4] == sum(PALETTE, [])
    shares = json.loads((tmp_path / 'out/shares.json').read_text())
    counts = sum(np.bincount(label.ravel(), minlength=4) for label in found.values())
    assert shares['pixels'] == counts.tolist() and shares['classes'] == list(CLASSES)
    assert shares == json.loads(json.dumps(done.shares))
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {
        'labels', 'confidence', 'overlays', 'legend.png', 'shares.json', 'prediction.json'
    }  # fmt: skip
    legend = cv2.imread(str(tmp_path / 'out/legend.png'))[..., ::-1]
    assert np.array_equal(legend, legend_picture(CLASSES, PALETTE))


def test_it_goes_on_and_takes_more_images(predictor, images, tmp_path):
    first = predict_into(tmp_path / 'out', predictor, images)
    assert not (tmp_path / 'out/legend.png').exists(), 'without overlays there is nothing to explain'
    (tmp_path / 'out/labels/a/two.png').unlink()
    before = (tmp_path / 'out/labels/a/one.png').stat()
    cv2.imwrite(str(images / 'a/three.png'), picture(7))
    again = predict_into(tmp_path / 'out', predictor, images)
    assert (again.predicted, again.skipped) == (2, 2)
    assert (tmp_path / 'out/labels/a/one.png').stat().st_mtime_ns == before.st_mtime_ns
    assert sum(again.shares['pixels']) == sum(first.shares['pixels']) * 4 / 3
    cv2.imwrite(str(images / 'a/three.png'), picture(8))
    assert predict_into(tmp_path / 'out', predictor, images).predicted == 1, 'a changed image must be predicted again'
    assert predict_into(tmp_path / 'out', predictor, images, confidence=True).predicted == 4


def test_interrupted_before_the_end(predictor, images, tmp_path, monkeypatch):
    entries = find_images([images]).entries
    outputs = Outputs(tmp_path / 'out', predictor.classes)
    written = Outputs.write

    def fails_on_the_last(self, name, size, bands):
        if name == entries[-1].name:
            raise KeyboardInterrupt
        return written(self, name, size, bands)

    monkeypatch.setattr(Outputs, 'write', fails_on_the_last)
    with pytest.raises(KeyboardInterrupt):
        predict_folder(predictor, entries, outputs, num_workers=0)
    assert not (tmp_path / 'out/shares.json').exists()
    monkeypatch.undo()
    done = predict_folder(predictor, entries, outputs, num_workers=0)
    assert (done.predicted, done.skipped) == (1, 2) and len(done.shares['images']) == 3


def test_other_results_are_never_mixed(predictor, second_checkpoint, images, tmp_path):
    predict_into(tmp_path / 'out', predictor, images / 'a')
    other = mmuda.predict(network_config(), second_checkpoint)
    with pytest.raises(RuntimeError, match='out was started with other settings:\n  weights.0: was .*\nChoose another'):
        predict_into(tmp_path / 'out', other, images / 'a')
    windows = mmuda.predict(network_config(), predictor_checkpoint(predictor, tmp_path), window=32)
    with pytest.raises(RuntimeError, match='window: was null, is 32'):
        predict_into(tmp_path / 'out', windows, images / 'a')
    with pytest.raises(RuntimeError, match='holds the prediction of .*images/a/one.png under the name one'):
        predict_into(tmp_path / 'out', predictor, images / 'b/deep')


def predictor_checkpoint(predictor, folder: Path) -> Path:
    """Write the weights of a predictor into another file."""
    import torch

    torch.save(dict(state_dict=predictor.networks.models[0].state_dict()), folder / 'again.pth')
    return folder / 'again.pth'


def test_a_damaged_image_does_not_stop_the_others(predictor, images, tmp_path):
    (images / 'a/two.jpg').write_bytes(b'nothing')
    done = predict_into(tmp_path / 'out', predictor, images)
    assert done.predicted == 2 and len(done.failed) == 1
    assert 'two.jpg cannot be decoded' in done.failed[str(images / 'a/two.jpg')]
    assert set(labels(tmp_path / 'out/labels')) == {'a/one', 'b/deep/one'}


def test_formats_of_test_servers(predictor, images, tmp_path):
    ids = dict(zip(CLASSES, (7, 11, 200, 3), strict=True))
    server = ServerFormat('submission', ids, lambda stem: f'{stem}_ids', 'a server')
    predict_into(tmp_path / 'out', predictor, images / 'a', server=server)
    found = labels(tmp_path / 'out/submission')
    assert set(found) == {'one_ids', 'two_ids'}
    wanted = predictor(images / 'a/one.png').label
    assert np.array_equal(found['one_ids'], np.array(list(ids.values()))[wanted])
    with Image.open(tmp_path / 'out/submission/one_ids.png') as image:
        assert image.mode == 'L'
    with pytest.raises(ValueError, match='a/one.png and .*b/deep/one.png would both be written'):
        predict_into(tmp_path / 'both', predictor, images, server=server)
    with pytest.raises(ValueError, match='the network predicts sky, ground, wall, thing, but the LoveDA'):
        predict_into(tmp_path / 'loveda', predictor, images / 'a', server=get_format('loveda'))


def test_label_maps_with_own_ids(predictor, images, tmp_path):
    ids = (7, 0, 255, 40)
    predict_into(tmp_path / 'out', predictor, images)
    done = predict_into(tmp_path / 'out', predictor, images, ids=ids)
    assert done.predicted == 3
    found, plain = labels(tmp_path / 'out/own_ids'), labels(tmp_path / 'out/labels')
    assert set(found) == set(plain) == {'a/one', 'a/two', 'b/deep/one'}
    for name, label in found.items():
        assert np.array_equal(label, np.array(ids)[plain[name]])
    with Image.open(tmp_path / 'out/own_ids/a/one.png') as image:
        assert image.mode == 'P'
        assert np.array_equal(np.asarray(image.convert('RGB')), np.array(PALETTE)[plain['a/one']])
    assert predict_into(tmp_path / 'out', predictor, images, ids=ids).skipped == 3
    with pytest.raises(RuntimeError, match='other settings:\n  own_ids.0: was 7, is 8'):
        predict_into(tmp_path / 'out', predictor, images, ids=(8, *ids[1:]))
    assert predict_into(tmp_path / 'out', predictor, images).skipped == 3
    with pytest.raises(ValueError, match='not both: give server or ids'):
        Outputs(tmp_path, predictor.classes, server=get_format('acdc'), ids=ids)


def test_large_images_and_frames(predictor, checkpoint, images, tmp_path):
    tifffile = pytest.importorskip('tifffile')
    image = picture(5, size=(90, 130))
    tifffile.imwrite(images / 'large.tif', np.ascontiguousarray(image[..., ::-1]), photometric='rgb', tile=(16, 16))
    writer = cv2.VideoWriter(str(images / 'drive.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, (56, 40))
    for number in range(3):
        writer.write(picture(number))
    writer.release()
    windows = mmuda.predict(network_config(), checkpoint, window=48, batch_size=2)
    done = predict_into(tmp_path / 'out', windows, images, overlay=True, confidence=True)
    assert done.predicted == 7 and not done.failed
    found = labels(tmp_path / 'out/labels')
    assert np.array_equal(found['large'], windows(image).label)
    assert found['drive.avi/000002'].shape == (40, 56)
    assert cv2.imread(str(tmp_path / 'out/overlays/large.jpg')).shape == (90, 130, 3)


def predicts(rank: int, checkpoint: str, images: str, out: str) -> list[int]:
    predictor = mmuda.predict(network_config(), checkpoint)
    entries = find_images([images], out).entries
    done = predict_folder(predictor, entries, Outputs(Path(out), predictor.classes), num_workers=0)
    return [done.predicted, done.skipped, *done.shares['pixels']]


def test_processes_share_the_images(predictor, checkpoint, images, tmp_path):
    one = predict_into(tmp_path / 'one', predictor, images)
    results = run_on_processes(predicts, tmp_path, str(checkpoint), str(images), str(tmp_path / 'two'))
    assert results[0] == results[1] == [3, 0, *one.shares['pixels']]
    assert (tmp_path / 'one/shares.json').read_bytes() == (tmp_path / 'two/shares.json').read_bytes()
    for name, label in labels(tmp_path / 'one/labels').items():
        assert np.array_equal(label, labels(tmp_path / 'two/labels')[name])
    assert not list(Path(tmp_path / 'two').glob('notes*'))
