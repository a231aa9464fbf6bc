"""IoU of the originals: histograms, scores, and the ensemble that adds logits."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import golden_files, load, scalar, section
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmuda.evaluation import DomainIoUMetric
from mmuda.models.segmentors.logit_ensemble import LogitEnsemble

EXACT = dict(rtol=1e-12, atol=0, equal_nan=True)


def evaluate(samples, num_classes, json_file, **options):
    """Return scores, confusion matrix and IoU (fractions) of data samples, processed one by one."""
    metric = DomainIoUMetric(json_file=str(json_file), **options)
    metric.dataset_meta = dict(classes=[f'class {index}' for index in range(num_classes)])
    for sample in samples:
        metric.process(None, [sample])
    scores = metric.evaluate(len(samples))
    hist = np.array(json.loads(json_file.read_text())['confusion_matrix'])
    return scores, hist, np.array([scores[f'IoU/class {i}'] for i in range(num_classes)]) / 100


def stored_sample(arrays):
    """Return a data sample with the arrays `pred` and `gt`."""
    return {f'{theirs}_sem_seg': dict(data=torch.from_numpy(arrays[theirs])[None]) for theirs in ('pred', 'gt')}


@pytest.mark.parametrize('path', golden_files('adaptsegnet', 'miou'))
def test_miou(path, tmp_path):
    data = load(path)
    num_classes = scalar(data, 'n')
    cases = sorted(key[: -len('gt')] for key in data if key.split('/')[-1] == 'gt')
    assert cases
    for case in cases:
        arrays = section(data, case) if case else data
        scores, hist, iou = evaluate([stored_sample(arrays)], num_classes, tmp_path / 'scores.json')
        np.testing.assert_array_equal(hist, arrays['hist'], err_msg=case)
        np.testing.assert_allclose(iou, arrays['iou'], **EXACT, err_msg=case)
        np.testing.assert_allclose(scores['mIoU'] / 100, arrays['miou_nanmean'], **EXACT)
        if 'miou_mean' in arrays:
            np.testing.assert_allclose(iou.mean(), arrays['miou_mean'], **EXACT)
    if 'accum/hist' in data:
        samples = [stored_sample(section(data, case) if case else data) for case in cases]
        _, hist, iou = evaluate(samples, num_classes, tmp_path / 'scores.json')
        np.testing.assert_array_equal(hist, data['accum/hist'])
        np.testing.assert_allclose(iou, data['accum/iou'], **EXACT)


@pytest.mark.parametrize('path', golden_files('cbst', 'miou'))
def test_miou_with_absent_classes_as_zero(path, tmp_path):
    data = {key.replace('__', '/', 1): value for key, value in load(path).items()}
    cases = sorted({key.split('/')[0] for key in data})
    assert cases
    for case in cases:
        arrays = section(data, case)
        num_classes = len(arrays['valid_labelIds'])
        train_ids = np.full(256, 255)
        train_ids[arrays['valid_labelIds']] = np.arange(num_classes)
        assert np.isin(arrays['pred_labelIds'], arrays['valid_labelIds']).all()
        samples = [
            stored_sample(dict(pred=train_ids[pred], gt=train_ids[gt]))
            for pred, gt in zip(arrays['pred_labelIds'], arrays['gt_labelIds'], strict=True)
        ]
        scores, hist, iou = evaluate(samples, num_classes, tmp_path / 'scores.json', absent='zero')
        np.testing.assert_array_equal(hist, arrays['confusion_gt_by_pred'], err_msg=case)
        np.testing.assert_allclose(iou, arrays['iou'], **EXACT, err_msg=case)
        means = dict(mIoU=arrays['miou'], aAcc=arrays['pixel_acc'], mAcc=arrays['class_acc'].mean())
        for ours, stored in means.items():
            np.testing.assert_allclose(scores[ours] / 100, stored, **EXACT, err_msg=f'{case} {ours}')


class StoredLogits(BaseModel):
    """A network that returns stored low-resolution logits (N, C, h, w) for image `number`."""

    def __init__(self, logits, size):
        super().__init__()
        self.logits, self.size = torch.from_numpy(logits), size

    def forward(self, *args, **kwargs):
        raise AssertionError('only test_step must be called')

    def test_step(self, data):
        for sample in data['data_samples']:
            logits = self.logits[sample.number][None]
            logits = F.interpolate(logits, self.size, mode='bilinear', align_corners=True)
            sample.seg_logits = PixelData(data=logits[0])
            sample.pred_sem_seg = PixelData(data=logits[0].argmax(dim=0, keepdim=True))
        return data['data_samples']


@pytest.mark.parametrize('path', golden_files('advent', 'eval_ensemble'))
def test_eval_ensemble(path, tmp_path, monkeypatch):
    data = load(path)
    names = sorted(key[len('logits_') :] for key in data if key.startswith('logits_'))
    width, height = data['out_wh'].tolist()
    networks = {name: StoredLogits(data[f'logits_{name}'], (height, width)) for name in names}
    monkeypatch.setattr(MODELS, 'build', lambda cfg: networks[cfg['name']])
    cases = sorted(key[: -len('/hist')] for key in data if key.endswith('/hist'))
    assert cases
    for case in cases:
        chosen = names if case == 'ensemble' else [case[: -len('_only')]]
        weights = data['weights'].tolist() if case == 'ensemble' else [1.0]
        ensemble = LogitEnsemble([dict(name=name) for name in chosen], weights)
        samples = []
        for number, label in enumerate(data['gt']):
            sample = SegDataSample(metainfo=dict(number=number))
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(label)[None])
            samples += ensemble.test_step(dict(inputs=[], data_samples=[sample]))
        num_classes = data[f'logits_{names[0]}'].shape[1]
        scores, hist, iou = evaluate(samples, num_classes, tmp_path / 'scores.json')
        np.testing.assert_array_equal(hist, data[f'{case}/hist'], err_msg=case)
        np.testing.assert_allclose(iou, data[f'{case}/iou'], **EXACT, err_msg=case)
        assert round(scores['mIoU'], 2) == scalar(data, f'{case}/miou_percent_round2')
