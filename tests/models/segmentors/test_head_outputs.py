"""Heads that return more than one map of class logits."""

import copy

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models.decode_heads import FCNHead
from mmseg.registry import MODELS
from toolbox import NUM_CLASSES, labelled_side, prepared, side, tiny_adaptor, tiny_segmentor, wrappers_of

from mmuda.checks.building import check_channels
from mmuda.models.segmentors.head_outputs import class_logits, has_own_loss


@MODELS.register_module()
class TwoMapsHead(FCNHead):
    """A head of an unknown type that returns two maps."""

    def forward(self, inputs):
        found = super().forward(inputs)
        return found, found


def pidnet(kind: str = 'DACS', **options):
    bn, relu = dict(type='BN'), dict(type='ReLU', inplace=True)
    hard = dict(type='OhemCrossEntropy', thres=0.9, min_kept=100)
    losses = [dict(type='CrossEntropyLoss', loss_weight=0.4), hard, dict(type='BoundaryLoss', loss_weight=20.0), hard]
    segmentor = dict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(type='PIDNet', channels=4, ppm_channels=8, norm_cfg=bn, act_cfg=relu),
        decode_head=dict(
            type='PIDHead', in_channels=16, channels=8, num_classes=NUM_CLASSES, norm_cfg=bn, loss_decode=losses
        ),
        test_cfg=dict(mode='whole'),
    )
    return tiny_adaptor(kind, segmentor=segmentor, **options)


def edges(domain: dict) -> dict:
    for sample in domain['data_samples']:
        label = sample.gt_sem_seg.data
        sample.gt_edge_map = PixelData(data=(label % 2 == 0).long())
    return domain


def test_pidnet_learns_its_four_losses_and_is_adapted_by_its_classes():
    batch = dict(source=edges(labelled_side(1, 2, label_size=(48, 64), size=(48, 64))), target=side(2, False, (48, 64)))
    adaptor = pidnet().train()
    logs = adaptor.train_step(copy.deepcopy(batch), wrappers_of(adaptor))
    parts = ['loss_sem_p', 'loss_sem_i', 'loss_bd', 'loss_sem_bd']
    total = sum(logs[f'{name}_main'].item() for name in parts)
    assert logs['loss_seg_main'].item() == pytest.approx(total, rel=1e-5) and 'loss_mix_main' in logs
    data = prepared(adaptor, batch)
    outputs = adaptor.segment(data['target'])
    assert outputs.logits['main'].shape == (2, NUM_CLASSES, 6, 8) and outputs.head_outputs == {}
    predicted = adaptor.eval().segment(data['target'])
    assert predicted.logits['main'].shape == (2, NUM_CLASSES, 6, 8) and len(predicted.features) == 1


def test_pidnet_without_boundaries_and_under_methods_of_one_feature_map_is_refused():
    adaptor = pidnet('SourceOnly').train()
    batch = dict(source=labelled_side(1, 2, label_size=(48, 64), size=(48, 64)), target=side(2, False, (48, 64)))
    with pytest.raises(ValueError, match="no gt_edge_map: add dict.type='GenerateEdge', edge_width=4. before"):
        adaptor.train_step(batch, wrappers_of(adaptor))
    with pytest.raises(
        ValueError, match='SDCA needs a decode head that takes one feature map, but PIDHead takes several'
    ):
        pidnet('SDCA')
    critic = dict(type='PixelDiscriminatorHead', in_channels=16, num_classes=NUM_CLASSES, channels=(8, 4))
    with pytest.raises(ValueError, match='FADA divides the logits .* but PIDHead has its own kind of loss'):
        pidnet('FADA', discriminator=critic)


def test_an_unknown_head_of_two_maps_is_found_before_training():
    segmentor = tiny_segmentor(two_levels=False)
    segmentor.decode_head = dict(
        type='TwoMapsHead',
        in_channels=32,
        in_index=3,
        channels=4,
        num_classes=NUM_CLASSES,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    )
    (finding,) = check_channels(tiny_adaptor('SourceOnly', segmentor=segmentor))
    assert finding.key == 'model.segmentor.decode_head'
    assert 'the main head, TwoMapsHead, returns a tuple: adaptation needs heads that return one map' in str(finding)
    assert list(check_channels(tiny_adaptor('SourceOnly'))) == []
    maps = torch.zeros(1, 2, 3, 3)
    assert class_logits(None, 'main', maps) is maps and not has_own_loss(MODELS.build(segmentor.decode_head))
