"""EfficientNet-Lite with its released weights, compared with stored activations of each stage and the classifier."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import golden_files, load, scalar

from mmuda.checkpoints.packages import installed_file
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.models import EfficientNetLite
from mmuda.models.backbones.efficientnet_lite import RELEASED
from mmuda.models.backbones.efficientnet_lite_blocks import NORM

TOLERANCE = 1e-5
"""Tolerance relative to the largest value."""


def network(data: dict) -> tuple[EfficientNetLite, dict]:
    """Return the variant with the stages of the file, and all of its released weights."""
    stages = data['block_index'].tolist()
    channels = [data[f'block{i}'].shape[1] for i in stages]
    for variant, location in RELEASED.items():
        net = EfficientNetLite(variant, init_cfg=dict(type='StrictPretrained', checkpoint=location))
        if (list(net.last_blocks), list(net.out_channels)) == (stages, channels):
            net.init_weights()
            return net.eval(), read_checkpoint(installed_file(location))
    pytest.fail(f'no variant has stages that end with the blocks {stages} and have {channels} channels')


def classify(x: torch.Tensor, weights: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the features (N, 1280, H, W) of the last convolution and the logits (N, 1000) of the classifier."""
    x = F.conv2d(x, weights['_conv_head.weight'])
    moments = weights['_bn1.running_mean'], weights['_bn1.running_var']
    x = F.batch_norm(x, *moments, weights['_bn1.weight'], weights['_bn1.bias'], eps=NORM['eps']).clamp(0, 6)
    return x, F.linear(x.mean(dim=(2, 3)), weights['_fc.weight'], weights['_fc.bias'])


def close(found: torch.Tensor, stored: np.ndarray, name: str) -> None:
    np.testing.assert_allclose(found.numpy(), stored, rtol=0, atol=TOLERANCE * np.abs(stored).max(), err_msg=name)


@pytest.mark.parametrize('path', golden_files('efficientnet_lite', ''))
def test_activations(path):
    data = load(path)
    net, weights = network(data)
    x = torch.from_numpy(data['input'])
    with torch.no_grad():
        stem, features = net.stem(x), net(x)
        last, logits = classify(features[-1], weights)
    close(stem, data['stem'], 'stem')
    for index, feature in zip(data['block_index'], features, strict=True):
        close(feature, data[f'block{index}'], f'block{index}')
    assert last.abs().double().mean().item() == pytest.approx(scalar(data, 'head_abs_mean'), rel=TOLERANCE)
    close(logits, data['logits'], 'logits')


@pytest.mark.parametrize('path', golden_files('efficientnet_lite', ''))
@pytest.mark.parametrize('output_stride', [8, 16])
def test_dilated_stages_compute_the_same_at_more_places(path, output_stride):
    """The dilated network has the stored values at every step-th place, from `step - 1`, since all sizes are even."""
    data = load(path)
    net, _ = network(data)
    dilated = EfficientNetLite(
        next(variant for variant, location in RELEASED.items() if location == net.init_cfg['checkpoint']),
        output_stride=output_stride,
    ).eval()
    dilated.load_state_dict(net.state_dict())
    x = torch.from_numpy(data['input'])
    with torch.no_grad():
        features = dilated(x)
    for stage, index in enumerate(data['block_index']):
        step = max(1, 2 ** (stage + 1) // output_stride)
        close(features[stage][..., step - 1 :: step, step - 1 :: step], data[f'block{index}'], f'block{index}')
