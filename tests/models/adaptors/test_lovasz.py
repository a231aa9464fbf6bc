"""Methods with the Lovász-softmax loss."""

import pytest
import torch
from toolbox import prepared, tiny_adaptor

from mmuda.models.labels import labels_of
from mmuda.models.losses import cross_entropy, lovasz_softmax


@pytest.mark.parametrize('kind, weight', [('SourceOnly', 0.0), ('AdaBN', 0.0), ('SDCA', 0.75)])
def test_the_default_weight_is_that_of_the_paper(kind, weight):
    assert tiny_adaptor(kind, two_levels=False).loss_weights['lov_main'] == weight


@pytest.mark.parametrize('weight', [0.0, 0.75])
def test_supervised_losses(batch, weight):
    adaptor = tiny_adaptor('SourceOnly', loss_weights=dict(lov_main=weight)).train()
    source = prepared(adaptor, batch)['source']
    outputs = adaptor.segment(source)
    labels = labels_of(source)
    wanted = {
        'loss_seg_aux': 0.1 * cross_entropy(outputs.upsample('aux'), labels),
        'loss_seg_main': cross_entropy(outputs.upsample('main'), labels),
    }
    if weight:
        wanted['loss_lov_main'] = 0.75 * lovasz_softmax(outputs.upsample('main'), labels)
    torch.testing.assert_close(adaptor.supervised_losses(outputs, source), wanted)


def test_a_method_without_it_has_no_such_weight():
    with pytest.raises(ValueError, match=r"MinEnt: unknown loss_weights \['lov_main'\]"):
        tiny_adaptor('MinEnt', loss_weights=dict(lov_main=1.0))
