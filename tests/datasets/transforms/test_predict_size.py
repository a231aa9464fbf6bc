"""Evaluation at the size of resized labels."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope


@pytest.mark.parametrize('labelled, size', [(True, (20, 30)), (False, (40, 60))])
def test_a_prediction_has_the_size_of_a_label_that_was_resized(labelled, size):
    init_default_scope('mmseg')
    image = np.zeros((40, 60, 3), np.uint8)
    results = dict(img_path='a.png', img=image, img_shape=(40, 60), ori_shape=(40, 60), seg_fields=[])
    if labelled:
        results |= dict(gt_seg_map=np.zeros((40, 60), np.uint8), seg_fields=['gt_seg_map'])
    steps = [
        dict(type='Resize', scale=(30, 20), keep_ratio=False),
        dict(type='PredictAtLabelSize'),
        dict(type='PackSegInputs'),
    ]
    sample = Compose(steps)(results)['data_samples']
    assert tuple(sample.ori_shape) == size and tuple(sample.img_shape) == (20, 30)
