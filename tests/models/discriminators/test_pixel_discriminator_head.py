"""The fine-grained discriminator of FADA."""

import torch

from mmuda.models import PixelDiscriminatorHead


def test_the_classes_of_the_source_come_before_those_of_the_target():
    critic = PixelDiscriminatorHead(5, num_classes=3, channels=(4, 6))
    x = torch.randn(2, 5, 7, 9)
    out = critic(x)
    assert out.shape == (2, 6, 7, 9)
    with torch.no_grad():
        critic.target_head.weight.zero_()
        critic.target_head.bias.fill_(1.0)
        other = critic(x)
    torch.testing.assert_close(other[:, :3], out[:, :3])
    assert (other[:, 3:] == 1).all()
    assert [conv.out_channels for conv in critic.convs] == [4, 6]
    default = PixelDiscriminatorHead(2048, 19)
    assert sum(p.numel() for p in default.parameters()) == sum(
        (9 * c_in + 1) * c_out for c_in, c_out in ((2048, 256), (256, 128), (128, 19), (128, 19))
    )
