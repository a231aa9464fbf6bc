"""Test programs of FADA and SDCA: single-scale, mirrored and multi-scale probabilities, predictions and scores."""

import json

import numpy as np
import pytest
import torch
from golden import golden_files, load
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from standins_contrast import load_original, segmentor

from mmuda.evaluation import DomainIoUMetric

THREE = (0.7, 1.0, 1.3)
TIES = 3
"""Number of pixels that can differ because two classes are equally likely."""


def network(data: dict, **options):
    """Return the stand-in network with stored weights and with these options of its prediction."""
    model = MODELS.build({**segmentor(data), 'type': 'MultiScaleEncoderDecoder', **options}).eval()
    load_original(model, data)
    return model


def samples_of(data: dict) -> list:
    """Return pairs of an image (1, 3, H, W) and a data sample with its label."""
    found = []
    for number in range(sum(key.startswith('image') for key in data)):
        label = torch.from_numpy(data[f'label{number}'])
        sample = SegDataSample(metainfo=dict(ori_shape=tuple(label.shape[-2:])))
        sample.gt_sem_seg = PixelData(data=label)
        found.append((torch.from_numpy(data[f'image{number}']), sample))
    assert found
    return found


def predict(data: dict) -> list:
    model = network(data)
    return [model.predict(image, [sample])[0] for image, sample in samples_of(data)]


def check_probabilities(data: dict, stored: np.ndarray, **options):
    image, sample = samples_of(data)[0]
    (probs,) = network(data, **options).probabilities(image, [sample])
    assert probs.shape == stored.shape[1:]
    np.testing.assert_allclose(probs.numpy(), stored[0], rtol=1e-5, atol=1e-6)


def check_scores(data: dict, samples: list, json_file, ties: int):
    """Compare counts and scores of the metric, of which `ties` pixels can be counted for another class."""
    metric = DomainIoUMetric(absent='zero', json_file=str(json_file))
    metric.dataset_meta = dict(classes=[f'class {index}' for index in range(len(data['iou']))])
    for sample in samples:
        metric.process(None, [sample])
    scores = metric.evaluate(len(samples))
    hist = np.array(json.loads(json_file.read_text())['confusion_matrix'])
    hits, labelled = np.diag(hist), hist.sum(axis=1)
    np.testing.assert_array_equal(labelled, data['target'])
    np.testing.assert_allclose(hits, data['intersection'], rtol=0, atol=ties)
    np.testing.assert_allclose(labelled + hist.sum(axis=0) - hits, data['union'], rtol=0, atol=ties)
    slack = 1e-6 + 2 * ties / np.maximum(data['union'], 1)
    iou = np.array([scores[f'IoU/class {index}'] for index in range(len(data['iou']))]) / 100
    assert (np.abs(iou - data['iou']) <= slack).all(), (iou, data['iou'])
    assert abs(scores['mIoU'] / 100 - data['miou']) <= slack.mean()


@pytest.mark.parametrize(
    'case, options',
    [
        ('single', dict()),
        ('flip', dict(flip=True)),
        ('ms_noflip', dict(scales=THREE)),
        ('ms_flip', dict(scales=THREE, flip=True)),
    ],
)
@pytest.mark.parametrize('path', golden_files('fada', 'pseudo_label_eval'))
def test_fada_probabilities(path, case, options):
    data = load(path)
    check_probabilities(data, data[f'probs_{case}0'], **options)


@pytest.mark.parametrize('path', golden_files('fada', 'pseudo_label_eval'))
def test_fada_labels_and_scores(path, tmp_path):
    data = load(path)
    predicted = predict(data)
    for number, sample in enumerate(predicted):
        differ = sample.pred_sem_seg.data[0].numpy() != data[f'pseudo{number}']
        assert differ.sum() <= TIES
    check_scores(data, predicted, tmp_path / 'predicted.json', ties=TIES * len(predicted))
    for number, sample in enumerate(predicted):
        sample.pred_sem_seg = PixelData(data=torch.from_numpy(data[f'pseudo{number}'])[None])
    check_scores(data, predicted, tmp_path / 'stored.json', ties=0)


@pytest.mark.parametrize('case, options', [('noflip', dict()), ('flip', dict(flip=True))])
@pytest.mark.parametrize('path', golden_files('sdca', 'pseudo_label'))
def test_sdca_probabilities(path, case, options):
    data = load(path)
    check_probabilities(data, data[f'probs_{case}0'], **options)


@pytest.mark.parametrize('path', golden_files('sdca', 'pseudo_label'))
def test_sdca_scores(path, tmp_path):
    data = load(path)  # the file has scores before pixels are ignored, so that predictions come from the network
    predicted = predict(data)
    check_scores(data, predicted, tmp_path / 'scores.json', ties=TIES * len(predicted))
