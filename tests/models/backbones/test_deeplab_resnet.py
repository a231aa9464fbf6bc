"""The ResNet of DeepLabV2 on small inputs."""

import torch

from mmuda.models import DeepLabResNet


def test_resnet_sizes_are_those_of_the_papers():
    net = DeepLabResNet(depth=18, base_channels=2, stem_channels=2, style='pytorch')
    with torch.no_grad():
        features = net(torch.zeros(1, 3, 720, 1280))
    assert [tuple(f.shape[-2:]) for f in features] == [(181, 321), (91, 161), (91, 161), (91, 161)]


def test_resnet_batch_norm_is_frozen_but_counts():
    net = DeepLabResNet(depth=18, base_channels=2, stem_channels=2, style='pytorch')
    net.train()
    net(torch.rand(2, 3, 32, 32))
    assert not net.bn1.weight.requires_grad and net.bn1.training and net.bn1.running_mean.abs().sum() > 0


def test_bottleneck_stride_is_in_the_first_convolution():
    net = DeepLabResNet(depth=50, base_channels=2, stem_channels=2)
    assert net.layer2[0].conv1.stride == (2, 2) and net.layer2[0].conv2.stride == (1, 1)
    assert all(block.conv2.dilation == (4, 4) for block in net.layer4)
