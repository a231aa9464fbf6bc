"""DomainIoUMetric: definitions, protocols, errors, files, several processes."""

import json
import math

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from mmseg.structures import SegDataSample
from PIL import Image
from processes import run_on_processes

from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, SYNTHIA13, SYNTHIA16
from mmuda.evaluation import DomainIoUMetric
from mmuda.evaluation.image_counts import ImageCounts

SMALL = ('road', 'car', 'sky')


def sample(prediction, label, name='a.png', dtype=torch.int64):
    """Return one data sample from arrays (H, W)."""
    found = SegDataSample(metainfo=dict(img_path=name))
    found.pred_sem_seg = PixelData(data=torch.as_tensor(np.asarray(prediction)).to(dtype)[None])
    found.gt_sem_seg = PixelData(data=torch.as_tensor(np.asarray(label)).to(dtype)[None])
    return found


def metric(classes=SMALL, **options) -> DomainIoUMetric:
    made = DomainIoUMetric(**options)
    made.dataset_meta = dict(classes=classes, palette=CITYSCAPES_PALETTE[: len(classes)])
    return made


def random_samples(number, num_classes, seed=0, size=(20, 30), label_classes=None):
    """Return samples with about two correct pixels of three and an ignored strip."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(number):
        label = rng.integers(0, label_classes or num_classes, size)
        prediction = np.where(rng.random(size) < 0.65, label, rng.integers(0, num_classes, size))
        label[:2] = 255
        found.append(sample(prediction, label, f'folder/{index}.png'))
    return found


def scores_of(samples, classes=SMALL, **options):
    made = metric(classes, **options)
    made.process(None, samples)
    return made.evaluate(len(samples))


def test_labels_without_a_class_are_told(caplog):
    MMLogger.get_instance('test_no_labels').addHandler(caplog.handler)
    scores = scores_of([sample([[0, 1]], [[255, 255]])])
    assert math.isnan(scores['mIoU']) and math.isnan(scores['aAcc'])
    assert 'no pixel of these images has a label of one of the classes' in caplog.text


def test_by_hand():
    # Road: 3 of 4 pixels are correct. Car: 1 of 2 is correct, and one road pixel is predicted as car. Sky never occurs.
    scores = scores_of(
        [sample([[0, 0, 0, 1], [1, 0, 0, 0]], [[0, 0, 0, 0], [1, 1, 255, 255]])],
        iou_metrics=('mIoU', 'mDice', 'mFscore'),
    )
    assert scores['IoU/road'] == pytest.approx(100 * 3 / 5)
    assert scores['IoU/car'] == pytest.approx(100 * 1 / 3)
    assert math.isnan(scores['IoU/sky'])
    assert scores['mIoU'] == pytest.approx(100 * (3 / 5 + 1 / 3) / 2)
    assert scores['aAcc'] == pytest.approx(100 * 4 / 6)
    assert scores['mAcc'] == pytest.approx(100 * (3 / 4 + 1 / 2) / 2)
    assert scores['mDice'] == pytest.approx(100 * (6 / 8 + 2 / 4) / 2)
    assert scores['mFscore'] == scores['mDice']
    assert scores['mPrecision'] == pytest.approx(100 * (3 / 4 + 1 / 2) / 2)
    assert scores['mRecall'] == scores['mAcc']
    assert all(type(value) is float for value in scores.values())


@pytest.mark.parametrize('kind', ['mIoU', 'mDice', 'mFscore'])
def test_agrees_with_mmseg(kind):
    samples = random_samples(3, 19)
    ours = scores_of(samples, CITYSCAPES_CLASSES, iou_metrics=kind)
    theirs = Evaluator(IoUMetric(iou_metrics=[kind]))
    theirs.dataset_meta = dict(classes=CITYSCAPES_CLASSES)
    theirs.process(samples)
    for key, value in theirs.evaluate(3).items():
        assert ours[key] == pytest.approx(float(value), abs=0.006), key


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_any_integer_type_counts_alike(dtype):
    pair = random_samples(1, 3)[0]
    prediction, label = pair.pred_sem_seg.data[0], pair.gt_sem_seg.data[0]
    assert scores_of([sample(prediction, label, dtype=dtype)]) == scores_of([pair])


def test_labels_outside_the_list_are_skipped():
    pair = random_samples(1, 3)[0]
    prediction, label = pair.pred_sem_seg.data[0], pair.gt_sem_seg.data[0].clone()
    wanted = scores_of([pair])
    for strange in (-1, 3, 34, 65536, -(2**40)):
        label[:2] = strange
        assert scores_of([sample(prediction, label)]) == wanted
    label[:2] = 1
    assert scores_of([sample(prediction, label)]) != wanted


def test_ignore_index_may_be_a_class():
    label = [[0, 0, 1, 2]]
    scores = scores_of([sample([[0, 1, 1, 1]], label)], ignore_index=2)
    assert scores['IoU/car'] == pytest.approx(50) and scores['aAcc'] == pytest.approx(100 * 2 / 3)


def test_absent_class():
    samples = random_samples(2, 2)
    ignored = scores_of(samples, iou_metrics=('mIoU', 'mFscore'))
    zero = scores_of(samples, iou_metrics=('mIoU', 'mFscore'), absent='zero')
    assert zero['IoU/sky'] == 0 and math.isnan(ignored['IoU/sky'])
    for key in ('mIoU', 'mAcc', 'mFscore', 'mPrecision'):
        assert zero[key] == pytest.approx(ignored[key] * 2 / 3)


def test_protocols_restrict_the_mean_only():
    samples = random_samples(2, 19)
    scores = scores_of(
        samples,
        CITYSCAPES_CLASSES,
        iou_metrics=('mIoU', 'mDice'),
        protocols=('mIoU16', 'mIoU13', 'synth2camvid10', dict(mine=['bus', 'road'])),
    )
    iou = {name: scores[f'IoU/{name}'] for name in CITYSCAPES_CLASSES}
    assert scores['mIoU'] == pytest.approx(np.mean(list(iou.values())))
    assert scores['mIoU16'] == pytest.approx(np.mean([iou[name] for name in SYNTHIA16]))
    assert scores['mIoU13'] == pytest.approx(np.mean([iou[name] for name in SYNTHIA13]))
    assert scores['mine'] == pytest.approx((iou['bus'] + iou['road']) / 2)
    assert len({scores[key] for key in ('mIoU', 'mIoU16', 'mIoU13', 'synth2camvid10', 'mine')}) == 5
    assert scores['mDice13'] == pytest.approx(np.mean([scores[f'Dice/{name}'] for name in SYNTHIA13]))
    assert 'mDice_mine' in scores and 'mAcc16' in scores


def test_protocols_go_by_name_not_by_place():
    order = tuple(reversed(SYNTHIA16))
    straight = scores_of(random_samples(1, 16), SYNTHIA16, protocols='mIoU13')
    turned = random_samples(1, 16)
    for pair in turned:
        for field in (pair.pred_sem_seg, pair.gt_sem_seg):
            field.data = torch.where(field.data == 255, 255, 15 - field.data)
    turned = scores_of(turned, order, protocols='mIoU13')
    assert turned['mIoU13'] == pytest.approx(straight['mIoU13'])
    assert turned['IoU/bus'] == straight['IoU/bus']


@pytest.mark.parametrize(
    'options,message',
    [
        (dict(protocols='mIoU16'), 'mIoU16.*sidewalk.*does not have'),
        (dict(protocols='mIoU17'), "unknown protocol 'mIoU17'"),
        (dict(protocols=dict(mine=['road', 'boat'])), 'mine.*boat'),
        (dict(protocols=dict(mine=[])), 'list of class names'),
        (dict(protocols=dict(mine=['road', 'road'])), 'twice'),
        (dict(protocols=dict(mIoU13=['road'])), "'mIoU13' is taken"),
        (dict(protocols=dict(aAcc=['road'])), "'aAcc' is taken"),
        (dict(paper=dict(name='P', per_class=dict(raod=1.0))), "'P' has figures for .*raod"),
        (dict(paper=dict(per_class=[1.0, 2.0])), '2 figures for 3 classes'),
        (dict(paper=dict(per_class=[1.0, 2.0, 3.0], order='mIoU99')), 'unknown order'),
        (dict(paper=dict(mIoU16=40.0)), 'mIoU16.*but the evaluated protocols are'),
        (dict(iou_metrics='IoU'), 'iou_metrics'),
        (dict(absent='skip'), 'absent'),
    ],
)
def test_wrong_options_are_told_at_the_start(options, message):
    with pytest.raises(ValueError, match=message):
        metric(**options)


@pytest.mark.parametrize('value', [3, 255, -1, 65536, -(2**40)])
def test_prediction_outside_the_list_names_the_image(value):
    good, bad = random_samples(2, 3)
    bad.pred_sem_seg.data[0, 0, 0] = value
    with pytest.raises(ValueError, match='image folder/1.png: 1 pixels.*3 classes'):
        metric().process(None, [good.to_dict(), bad.to_dict()])


def test_other_bad_samples_name_the_image():
    good = random_samples(1, 3)[0]
    with pytest.raises(ValueError, match=r'b.png.*\(2, 3\).*\(2, 4\)'):
        metric().process(None, [sample(np.zeros((2, 3)), np.zeros((2, 4)), 'b.png')])
    with pytest.raises(ValueError, match='a.png.*integers.*float32'):
        metric().process(None, [sample(np.zeros((2, 3)), np.zeros((2, 3)), dtype=torch.float32)])
    del good.gt_sem_seg
    with pytest.raises(ValueError, match='folder/0.png has no `gt_sem_seg`'):
        metric().process(None, [good])
    with pytest.raises(ValueError, match='no image'):
        metric().evaluate(1)
    too_many = metric()
    too_many.process(None, random_samples(3, 3))
    with pytest.raises(ValueError, match='more images'):
        too_many.evaluate(1)


def test_batches_and_repeated_evaluations():
    samples = random_samples(5, 3)
    whole = scores_of(samples)
    made = metric()
    for chunk in (samples[:1], [], samples[1:4], samples[4:]):
        made.process(None, chunk)
    assert made.evaluate(5) == whole
    made.process(None, samples[:2])
    assert made.evaluate(2) == scores_of(samples[:2]) != whole


def test_prefix_and_evaluator():
    made = Evaluator(METRICS.build(dict(type='DomainIoUMetric', prefix='city', protocols=('mIoU',))))
    made.dataset_meta = dict(classes=SMALL)
    made.process(random_samples(2, 3))
    scores = made.evaluate(2)
    assert scores['city/mIoU'] > 0 and all(key.startswith('city/') for key in scores)


def test_table_json_and_paper(tmp_path, caplog):
    logger = MMLogger.get_instance('test_table')
    logger.addHandler(caplog.handler)
    path = tmp_path / 'new' / 'scores.json'
    samples = random_samples(2, 2)
    made = metric(
        protocols=('mIoU', dict(two=['car', 'road'])),
        json_file=str(path),
        paper=dict(name='A (2019)', per_class=[40.0, 41.0], order='two', two=44.0),
    )
    made.process(None, samples)
    scores = made.evaluate(2)
    text = caplog.text
    assert 'A (2019) IoU | difference' in text and 'mIoU (3 classes)' in text
    row = next(line for line in text.split('\n') if line.startswith('| two'))
    assert f'{scores["two"]:.2f}' in row and f'{scores["two"] - 44:+.2f}' in row
    row = next(line for line in text.split('\n') if line.startswith('| car'))
    assert '41.00' in row
    row = next(line for line in text.split('\n') if line.startswith('| sky'))
    assert set(row.replace('|', ' ').split()) == {'sky', '-'}
    stored = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f'{name} in JSON'))
    assert stored['classes'] == list(SMALL) and stored['num_images'] == 2
    assert stored['metrics']['two'] == scores['two'] and stored['metrics']['aAcc'] == scores['aAcc']
    assert stored['per_class']['IoU']['sky'] is None
    assert stored['per_class']['IoU']['car'] == scores['IoU/car']
    assert stored['paper'] == dict(name='A (2019)', per_class=dict(road=40.0, car=41.0), means=dict(two=44.0))
    assert np.sum(stored['confusion_matrix']) == 2 * 18 * 30
    assert stored['protocols']['two'] == ['road', 'car']
    assert [file.name for file in path.parent.iterdir()] == ['scores.json']


def test_published_iou_is_not_compared_with_dice(caplog):
    MMLogger.get_instance('test_dice').addHandler(caplog.handler)
    scores_of(random_samples(1, 3), iou_metrics='mDice', paper=dict(name='A', mIoU=40.0))
    row = next(line for line in caplog.text.split('\n') if line.startswith('| mDice'))
    assert '40.00' in row and 'difference' not in caplog.text


@pytest.mark.parametrize('palette', [True, False])
def test_output_dir(tmp_path, palette):
    made = DomainIoUMetric(output_dir=str(tmp_path / 'out'))
    made.dataset_meta = dict(classes=SMALL, **(dict(palette=CITYSCAPES_PALETTE[:3]) if palette else {}))
    samples = random_samples(2, 3)
    made.process(None, samples)
    files = sorted((tmp_path / 'out').iterdir())
    assert [file.name for file in files] == ['0.png', '1.png']
    for file, pair in zip(files, samples, strict=True):
        image = Image.open(file)
        wanted = pair.pred_sem_seg.data[0].numpy()
        np.testing.assert_array_equal(np.array(image), wanted)
        assert image.mode == ('P' if palette else 'L')
        if palette:
            np.testing.assert_array_equal(np.array(image.convert('RGB')), np.array(CITYSCAPES_PALETTE)[wanted])
    with pytest.raises(ValueError, match='img_path'):
        made.process(None, [{key: value for key, value in samples[0].to_dict().items() if key != 'img_path'}])


def test_state_does_not_grow():
    made = metric()
    sizes = set()
    for pair in random_samples(4, 3):
        made.process(None, [pair])
        holders = [made, *(value for value in vars(made).values() if isinstance(value, ImageCounts))]
        held = [value for holder in holders for value in vars(holder).values() if isinstance(value, torch.Tensor)]
        sizes.add(sum(value.numel() for value in held))
        assert not made.results
    assert sizes == {2 * (3 + 2) ** 2}


def evaluate_share(rank: int, folder: str) -> tuple:
    """Return scores of five images in the shares of mmengine's DefaultSampler, and the size of the own share."""
    samples = random_samples(5, 3)
    made = metric(json_file=f'{folder}/two.json', protocols=('mIoU', dict(two=['car', 'road'])))
    mine = [samples[index] for index in DefaultSampler(samples, shuffle=False)]
    for start in range(0, len(mine), 2):
        made.process(None, mine[start : start + 2])
    return made.evaluate(5), len(mine)


def test_two_processes_give_equal_results(tmp_path):
    """Of five images, the second process repeats the first one, which must not count twice."""
    alone = metric(json_file=str(tmp_path / 'one.json'), protocols=('mIoU', dict(two=['car', 'road'])))
    alone.process(None, random_samples(5, 3))
    wanted = alone.evaluate(5)
    assert run_on_processes(evaluate_share, tmp_path, str(tmp_path)) == [(wanted, 3)] * 2
    assert (tmp_path / 'two.json').read_text() == (tmp_path / 'one.json').read_text()
