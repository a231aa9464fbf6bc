"""Outputs of heads and classes of data sets."""

import pytest

from mmuda.checks.data import check_heads

BOUNDARY = dict(type='STDCHead', num_classes=2)
SECOND = dict(type='FCNHead', num_classes=18)
ADAPTOR = dict(type='ADVENT')


def findings(model: dict) -> list[tuple[str, str]]:
    return [(one.key, one.level) for one in check_heads(model, 'train_dataloader.dataset', 19)]


@pytest.mark.parametrize(
    ('head', 'plain', 'adapting'),
    [
        (dict(decode_head=dict(type='FCNHead', num_classes=19)), None, None),
        (dict(decode_head=dict(type='FCNHead', num_classes=25)), 'warning', 'error'),
        (dict(decode_head=dict(type='FCNHead', num_classes=1)), None, 'error'),
        (dict(auxiliary_head=SECOND), 'warning', 'error'),
        (dict(auxiliary_head=BOUNDARY), None, None),
        (dict(auxiliary_head=dict(SECOND, loss_decode=dict(type='CrossEntropyLoss'))), 'warning', 'error'),
        (dict(auxiliary_head=dict(SECOND, loss_decode=dict(type='DiceLoss'))), None, None),
        (dict(auxiliary_head=dict(SECOND, loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True))), None, None),
    ],
    ids=str,
)
def test_heads_have_an_output_for_each_class(head, plain, adapting):
    (name,) = head
    assert findings(dict(type='EncoderDecoder', **head)) == ([(f'model.{name}.num_classes', plain)] if plain else [])
    found = findings(dict(ADAPTOR, segmentor=dict(type='EncoderDecoder', **head)))
    assert found == ([(f'model.segmentor.{name}.num_classes', adapting)] if adapting else [])


def test_of_several_heads_each_is_compared():
    model = dict(ADAPTOR, segmentor=dict(auxiliary_head=[BOUNDARY, SECOND]), other=dict(decode_head=SECOND))
    assert findings(model) == [('model.segmentor.auxiliary_head.1.num_classes', 'error')]
