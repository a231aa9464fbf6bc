"""IntraDA's ranking of images: scores, order, split and label maps of the original script."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import SHIPPED_DIR, golden_files, load, scalar

from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.labeling import RARE_CLASSES, Argmax, entropy_score, rare_factor, split_by_score


@pytest.mark.parametrize('path', golden_files('intrada', 'entropy_rank', SHIPPED_DIR))
def test_the_files_have_label_maps(path):
    assert len(load(path)['masks'])


@pytest.mark.parametrize('path', golden_files('intrada', 'entropy_rank'))
def test_ranking(path):
    data = load(path)
    width, height = data['size_wh'].tolist()
    rare = [CITYSCAPES_CLASSES.index(name) for name in RARE_CLASSES]
    if 'rare_class_ids' in data:
        np.testing.assert_array_equal(rare, data['rare_class_ids'])
    masks = data.get('masks', ())  # masks at full size are large, so that a file has few of them or none

    scores = []
    for image, logits in enumerate(torch.from_numpy(data['logits'])):
        logits = F.interpolate(logits[None], (height, width), mode='bilinear', align_corners=True)
        prob = logits.softmax(dim=1)[0]
        labels = Argmax().label(prob)
        if image < len(masks):
            assert np.mean(labels.numpy() == data['masks'][image]) >= 0.9995
        counts = np.bincount(labels.flatten(), minlength=len(prob))
        assert np.abs(counts - data['mask_class_counts'][image]).sum() <= 0.001 * labels.numel()
        factor = rare_factor(labels, rare)
        if 'factor' in data:
            assert factor == data['factor'][image]
        if 'rare_present' in data:
            np.testing.assert_array_equal(np.isin(rare, labels), data['rare_present'][image])
        scores.append(entropy_score(prob).item() * (factor if scalar(data, 'normalize') else 1))
    np.testing.assert_allclose(scores, data['score'], rtol=1e-6, atol=0)

    easy, hard = split_by_score(data['names'].tolist(), scores, scalar(data, 'lambda1'))
    # The order of equal scores is undefined.
    assert sorted(easy) == sorted(data['easy'].tolist()) and sorted(hard) == sorted(data['hard'].tolist())
    if len(np.unique(data['score'])) == len(scores):
        assert easy + hard == data['names'][data['rank_order']].tolist()
        assert easy == data['easy'].tolist() and hard == data['hard'].tolist()
