"""One optimizer for each trainable child: entries, parameter groups, repeated parameters."""

import pytest
from toolbox import optim_cfg, tiny_adaptor
from torch import nn

from mmuda.engine import PerModuleOptimWrapperConstructor


def test_each_trainable_child_needs_its_entry():
    adaptor = tiny_adaptor('ADVENT')
    cfg = optim_cfg(adaptor)
    del cfg['aux_discriminator']
    with pytest.raises(ValueError, match="trainable children of ADVENT are .*'aux_discriminator'"):
        PerModuleOptimWrapperConstructor(cfg)(adaptor)
    with pytest.raises(ValueError, match="entries for .*'critic'"):
        PerModuleOptimWrapperConstructor(dict(optim_cfg(adaptor), critic=dict(optimizer=dict(type='SGD', lr=1.0))))(
            adaptor
        )


def test_groups_are_merged_and_frozen_weights_left_out(caplog):
    adaptor = tiny_adaptor('SourceOnly')
    for module in adaptor.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(False)
    cfg = dict(
        segmentor=dict(
            optimizer=dict(type='SGD', lr=0.1, weight_decay=0.5),
            paramwise_cfg=dict(
                custom_keys=dict(decode_head=dict(lr_mult=10.0), auxiliary_head=dict(lr_mult=10.0)), bias_decay_mult=0.0
            ),
        )
    )
    wrapper = PerModuleOptimWrapperConstructor(cfg)(adaptor)['segmentor']
    groups = wrapper.optimizer.param_groups
    assert [(g['lr'], g['weight_decay']) for g in groups] == [(0.1, 0.5), (1.0, 0.5)]
    listed = [p for g in groups for p in g['params']]
    wanted = [p for p in adaptor.parameters() if p.requires_grad]
    assert {id(p) for p in listed} == {id(p) for p in wanted} and len(listed) == len(wanted)
    assert not caplog.records, 'there must be no log line for each parameter'


@pytest.mark.parametrize('entry', [dict(type='AmpOptimWrapper'), dict(accumulative_counts=4), dict(clip_gard={})])
def test_unknown_keys_of_an_entry_are_errors(entry):
    adaptor = tiny_adaptor('SourceOnly')
    with pytest.raises(ValueError, match=f'unknown keys .*{next(iter(entry))}.*known are optimizer'):
        PerModuleOptimWrapperConstructor(dict(segmentor=dict(optimizer=dict(type='SGD', lr=1.0), **entry)))(adaptor)


def test_repeats_count_the_modules_around_a_weight():
    adaptor = tiny_adaptor('SourceOnly')
    cfg = dict(segmentor=dict(optimizer=dict(type='LegacySGD', lr=0.1), repeats='backbone'))
    groups = PerModuleOptimWrapperConstructor(cfg)(adaptor)['segmentor'].optimizer.param_groups
    repeats = {id(p): group['repeats'] for group in groups for p in group['params']}
    net = adaptor.segmentor
    assert repeats[id(net.backbone.conv1.weight)] == 1
    assert repeats[id(net.backbone.layer2[0].conv1.weight)] == 3
    assert repeats[id(net.backbone.layer2[0].downsample[0].weight)] == 4
    assert repeats[id(net.decode_head.branches[0].weight)] == 1
    with pytest.raises(ValueError, match="repeats='trunk' names no child"):
        PerModuleOptimWrapperConstructor(
            dict(segmentor=dict(optimizer=dict(type='LegacySGD', lr=0.1), repeats='trunk'))
        )(adaptor)
