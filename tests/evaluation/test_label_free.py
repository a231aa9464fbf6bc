"""LabelFreeMetric: stored values of formulas, data without labels, one and two processes."""

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from naive import neighbourhood_density as density, softmax
from processes import run_on_processes

from mmuda.constants import LABEL_FREE_SCORES
from mmuda.evaluation import LabelFreeMetric

CLASSES = ('road', 'car', 'sky', 'tree')


def samples(count: int, seed: int = 0, size=(6, 8)) -> list[SegDataSample]:
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        logits = torch.from_numpy(rng.normal(0, 2, (len(CLASSES), *size))).float()
        sample = SegDataSample(metainfo=dict(img_path=f'{index}.png'))
        sample.seg_logits = PixelData(data=logits)
        sample.pred_sem_seg = PixelData(data=logits.argmax(0, keepdim=True))
        found.append(sample)
    return found


def metric(**options) -> LabelFreeMetric:
    made = LabelFreeMetric(**options)
    made.dataset_meta = dict(classes=CLASSES)
    return made


def all_logits(found: list[SegDataSample]) -> np.ndarray:
    """Return all logits as one tensor (N, C, H, W)."""
    return np.stack([sample.seg_logits.data.numpy().astype(float) for sample in found])


def test_scores_are_those_of_the_formulas():
    given = samples(3)
    made = metric(points=48)
    made.source_shares = np.array([0.7, 0.1, 0.1, 0.1])
    made.teacher = lambda batch, outputs: [torch.zeros(6, 8, dtype=torch.int64)] * len(outputs)
    made.process(None, given[:2])
    made.process(None, given[2:])
    found = made.evaluate(3)
    prob = softmax(all_logits(given), 1)
    entropy = -(prob * np.log(prob)).sum(axis=1).mean() / np.log(4)
    mean = prob.mean(axis=(0, 2, 3))
    predicted = prob.argmax(axis=1)
    shares = np.bincount(predicted.ravel(), minlength=4) / predicted.size
    densities = [density(one.reshape(4, -1).T, 0.05) for one in prob]
    wanted = dict(
        entropy=entropy,
        IM=-(mean * np.log(mean)).sum() / np.log(4) - entropy,
        SND=np.mean(densities),
        class_shift=np.abs(shares - made.source_shares).sum() / 2,
        agreement=100 * (predicted == 0).mean(),
        **{f'share/{name}': 100 * share for name, share in zip(CLASSES, shares, strict=True)},
    )
    assert list(found) == [f'label_free/{name}' for name in wanted]
    assert set(LABEL_FREE_SCORES) < set(wanted)
    np.testing.assert_allclose(list(found.values()), list(wanted.values()), rtol=2e-5)


def test_labels_do_not_matter():
    plain, labelled = metric(), metric()
    plain.process(None, samples(2))
    given = samples(2)
    for sample in given:
        sample.gt_sem_seg = PixelData(data=torch.full((1, 6, 8), 3))
    labelled.process(None, given)
    assert labelled.evaluate(2) == plain.evaluate(2)


def test_an_evaluation_starts_anew():
    made = metric()
    made.process(None, samples(2, seed=5))
    made.evaluate(2)
    fresh = metric()
    for one in (made, fresh):
        one.process(None, samples(3))
    assert made.evaluate(3) == fresh.evaluate(3)


def test_predictions_that_are_not_finite():
    given = samples(2)
    given[1].seg_logits.data[0, 0, 0] = torch.nan
    made = metric()
    made.process(None, given)
    found = made.evaluate(2)
    assert all(np.isnan(found[f'label_free/{name}']) for name in ('entropy', 'IM', 'SND'))
    assert sum(value for name, value in found.items() if 'share' in name) == pytest.approx(100)


@pytest.mark.parametrize('channels', [None, 1])
def test_samples_without_logits_of_classes(channels):
    given = samples(1)
    del given[0].seg_logits
    if channels:
        given[0].seg_logits = PixelData(data=torch.zeros(channels, 6, 8))
    with pytest.raises(ValueError, match=r'0\.png.*label_free=None'):
        metric().process(None, given)


@pytest.mark.parametrize('options', [dict(points=1), dict(temperature=0)])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match='LabelFreeMetric'):
        LabelFreeMetric(**options)


def agreeing(batch, outputs):
    return [torch.zeros(6, 8, dtype=torch.int64)] * len(outputs)


def evaluate_share(rank: int) -> tuple:
    """Return scores of five images in the shares of mmengine's DefaultSampler, and the size of the own share."""
    given = samples(5)
    made = metric()
    made.teacher = agreeing
    mine = [given[index] for index in DefaultSampler(given, shuffle=False)]
    for start in range(0, len(mine), 2):
        made.process(None, mine[start : start + 2])
    return made.evaluate(5), len(mine)


def test_two_processes_give_equal_results(tmp_path):
    """Results are equal to the last bit. Of five images, the second process repeats one, which must not count twice."""
    torch.set_num_threads(1)  # as in the processes: with more threads, softmax rounds differently
    alone = metric()
    alone.teacher = agreeing
    alone.process(None, samples(5))
    assert run_on_processes(evaluate_share, tmp_path) == [(alone.evaluate(5), 3)] * 2
