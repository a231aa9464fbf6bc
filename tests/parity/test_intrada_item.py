"""An item of IntraDA's easy split has the values of the original."""

import numpy as np
import pytest
from golden import golden_files, load
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmseg.models import SegDataPreProcessor
from PIL import Image

import mmuda.datasets.transforms  # noqa: F401
from mmuda.datasets.classes import CITYSCAPES_CLASSES

# The mean that IntraDA's networks use, in BGR.
MEAN = (104.00698793, 116.66876762, 122.67891434)


@pytest.mark.parametrize('path', golden_files('intrada', 'easy_item'))
def test_easy_item(path, tmp_path):
    data = load(path)
    Image.fromarray(data['raw_image_rgb']).save(tmp_path / 'image.png')
    Image.fromarray(data['pseudo_mask']).save(tmp_path / 'mask.png')
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = Compose(
            [
                dict(type='LoadDomainImage'),
                dict(
                    type='Resize',
                    scale=tuple(data['size_wh'].tolist()),
                    keep_ratio=False,
                    backend='pillow',
                    interpolation='bicubic',
                ),
                dict(type='LoadPseudoLabel', resize=True),
                dict(type='PackSegInputs'),
            ]
        )
    packed = pipeline(
        dict(
            img_path=str(tmp_path / 'image.png'),
            seg_map_path=str(tmp_path / 'mask.png'),
            seg_fields=[],
            num_classes=len(CITYSCAPES_CLASSES),
            label_map={n: 255 for n in range(19)},
        )
    )
    label = packed['data_samples'].gt_sem_seg.data[0].numpy()
    np.testing.assert_array_equal(label, data['label_out'])
    process = SegDataPreProcessor(mean=MEAN, std=(1, 1, 1))
    inputs = process(dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']]))['inputs'][0].numpy()
    np.testing.assert_array_equal(inputs, data['image_out'])
