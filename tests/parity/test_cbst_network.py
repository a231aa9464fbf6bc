"""Test images and predictions of CBST: the input of the network, and the processing of its output."""

import numpy as np
import pytest
import torch
from golden import golden_files, load, scalar, section
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS, TRANSFORMS
from torch import nn

from mmuda.models.segmentors import full_probabilities

NORMALISED = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
# Pillow and our resizing agree up to float32 rounding, including Lanczos.
PROBABILITY = 1e-6


def cases(path):
    data = load(path)
    names = sorted({key.split('__')[0] for key in data})
    assert names
    renamed = {key.replace('__', '/', 1): value for key, value in data.items()}
    return [(name, section(renamed, name)) for name in names]


@pytest.mark.parametrize('path', golden_files('cbst', 'test_transform'))
def test_probabilities_of_a_network_output(path):
    for name, case in cases(path):
        (height, width), (padded_height, padded_width) = case['scaled_hw'].tolist(), case['net_input_hw'].tolist()
        padding = (0, padded_width - width, 0, padded_height - height)
        full = full_probabilities(
            torch.from_numpy(case['net_probs']), (padded_height, padded_width), padding, case['image'].shape[:2]
        )
        np.testing.assert_allclose(full.numpy(), case['full_probs'], rtol=0, atol=PROBABILITY, err_msg=name)


class StoredOutput(nn.Module):
    """A backbone with a stored output."""

    def __init__(self, probs: np.ndarray):
        super().__init__()
        self.probs, self.inputs = torch.from_numpy(probs), None

    def forward(self, inputs):
        self.inputs = inputs
        return (self.probs[None].log(),)


@pytest.mark.parametrize('path', golden_files('cbst', 'test_transform'))
def test_from_the_image_to_its_probabilities(path):
    for name, case in cases(path):
        with DefaultScope.overwrite_default_scope('mmseg'):
            pipeline = Compose(
                [
                    TRANSFORMS.build(dict(type='ResizeLongSide', length=scalar(case, 'test_scale'))),
                    TRANSFORMS.build(dict(type='PackSegInputs')),
                ]
            )
        image = np.ascontiguousarray(case['image'][..., ::-1])  # images are loaded as BGR
        packed = pipeline(dict(img=image, ori_shape=image.shape[:2], img_shape=image.shape[:2]))
        num_classes = len(case['net_probs'])
        model = MODELS.build(
            dict(
                type='SelfTraining',
                segmentor=dict(
                    type='BicubicEncoderDecoder',
                    flip=False,  # the stored output has no counterpart for a mirrored image
                    backbone=dict(type='DeepLabVGG16'),
                    decode_head=dict(type='DeepLabV2Head', in_channels=1024, num_classes=num_classes),
                    test_cfg=dict(mode='whole'),
                ),
                data_preprocessor=dict(type='DomainPairPreprocessor', test_cfg=dict(size_divisor=8), **NORMALISED),
            )
        )
        network = model.segmentor.backbone = StoredOutput(case['net_probs'])
        model.segmentor.decode_head.forward = lambda features: features[0]
        batch = dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
        (full,) = model.eval().probabilities(batch)

        height, width = case['scaled_hw'].tolist()
        inputs = network.inputs[0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(inputs.shape[:2], case['net_input_hw'], err_msg=name)
        np.testing.assert_allclose(inputs[:height, :width], case['normalized_hwc'], rtol=0, atol=1e-6, err_msg=name)
        assert not inputs[height:].any() and not inputs[:, width:].any(), 'padding must be zero'
        np.testing.assert_allclose(full.numpy(), case['full_probs'], rtol=0, atol=PROBABILITY, err_msg=name)
