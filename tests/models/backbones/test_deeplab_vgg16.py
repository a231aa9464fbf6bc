"""The VGG-16 of DeepLabV2 on small inputs."""

import torch

from mmuda.models import DeepLabVGG16


def test_vgg_scales_with_its_first_width():
    net = DeepLabVGG16(base_channels=2)
    with torch.no_grad():
        (features,) = net(torch.zeros(2, 3, 47, 64))
    assert features.shape == (2, 32, 5, 8)
    widths = [conv.out_channels for conv in net.features if isinstance(conv, torch.nn.Conv2d)]
    assert widths == [2, 2, 4, 4, 8, 8, 8, 16, 16, 16, 16, 16, 16, 32, 32]
