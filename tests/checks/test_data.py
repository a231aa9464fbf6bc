"""The outputs of heads agree with the classes of data sets."""

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

import mmuda  # noqa: F401
from mmuda.checks.data import check_edges, check_heads, check_pipelines, check_samplers


@pytest.fixture(autouse=True)
def mmseg_scope():
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


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
        (dict(auxiliary_head=dict(SECOND, loss_decode=dict(type='DiceLoss'))), None, 'error'),
        (dict(auxiliary_head=dict(SECOND, loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True))), None, 'error'),
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


@pytest.mark.parametrize(
    ('head', 'missing'), [('PIDHead', ['source', 'target_labelled']), ('FCNHead', []), ('NoSuchHead', [])]
)
def test_boundaries_come_with_labels_if_a_head_learns_them(head, missing):
    def images(*steps: str) -> dict:
        return dict(type='CityscapesDataset', pipeline=[dict(type=step) for step in steps])

    def found(*steps: str) -> list[str]:
        sides = dict(source=images(*steps), target=images('LoadDomainImage'), target_labelled=images(*steps))
        model = dict(ADAPTOR, segmentor=dict(decode_head=dict(type=head)))
        cfg = Config(dict(model=model, train_dataloader=dict(dataset=dict(type='DomainPairDataset', **sides))))
        return [finding.key for finding in check_edges(cfg)]

    assert found('LoadDomainImage') == [f'train_dataloader.dataset.{side}.pipeline' for side in missing]
    assert found('LoadDomainImage', 'GenerateEdge') == []


LOADS, CROP = dict(type='LoadDomainAnnotations'), dict(type='RandomCrop', crop_size=(8, 8), cat_max_ratio=0.75)


@pytest.mark.parametrize(
    ('steps', 'places'),
    [
        ([CROP], [0]),
        ([LOADS, CROP], []),
        ([dict(CROP, cat_max_ratio=1.0)], []),
        ([dict(type='LoadDomainImage'), CROP], [1]),
    ],
)
def test_steps_that_look_at_labels_come_after_those_that_load_them(steps, places):
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type='GTA5Dataset', pipeline=steps))))
    found = [one.key for one in check_pipelines(cfg)]
    assert found == [f'train_dataloader.dataset.pipeline.{place}.cat_max_ratio' for place in places]


def test_items_of_one_domain_need_their_own_batches():
    node = dict(dataset=dict(type='DomainPairDataset'), sampler=dict(type='DomainPairSampler', every=dict(source=2)))
    (found,) = check_samplers(Config(dict(train_dataloader=node)))
    assert found.key == 'train_dataloader.collate_fn' and 'union_collate' in found.expected
    assert not list(check_samplers(Config(dict(train_dataloader=dict(node, collate_fn=dict(type='union_collate'))))))
