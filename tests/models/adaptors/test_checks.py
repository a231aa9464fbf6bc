"""Faults in methods that would train other weights than intended."""

import pytest
from toolbox import pair_batch, tiny_adaptor, wrappers_of

from mmuda.models import ADVENT


class Forgetful(ADVENT):
    """A method that yields parts computed by given functions from its outputs on the source, without detaching them."""

    def __init__(self, *args, parts, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.parts = parts

    def adapt(self, source, target):
        for part in self.parts:
            yield part(self, self.segment(source))


def segmentation(adaptor, outputs):
    return 'segmentor', dict(loss=outputs.logits['main'].square().mean())


def discriminator_without_detach(adaptor, outputs):
    return 'discriminator', dict(loss=adaptor.discriminator(outputs.upsample('main')).mean())


def adversary_without_frozen(adaptor, outputs):
    return 'segmentor', dict(loss=adaptor.discriminator(outputs.upsample('main')).mean())


@pytest.mark.parametrize(
    'parts, reached',
    [((segmentation, discriminator_without_detach), 'segmentor'), ((adversary_without_frozen,), 'discriminator')],
)
def test_a_forgotten_detach_or_frozen_is_found(parts, reached):
    critic = dict(type='FCDiscriminatorHead', in_channels=4, base_channels=2)
    adaptor = tiny_adaptor(Forgetful, discriminator=critic, aux_discriminator=critic, parts=parts).train()
    with pytest.raises(RuntimeError, match=f'also reach the weights of {reached}'):
        adaptor.train_step(pair_batch(), wrappers_of(adaptor))
