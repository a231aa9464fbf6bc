"""Optimizers by module: grouping, accumulation, precision, duplicate listing."""

import copy

import pytest
import torch
from toolbox import optim_cfg, pair_batch, tiny_adaptor
from torch import nn

from mmuda.engine import LegacySGD, ModuleOptimWrapper, PerModuleOptimWrapperConstructor
from mmuda.engine.optim.wrappers import make_scaler


def build(adaptor, **kwargs):
    return PerModuleOptimWrapperConstructor(optim_cfg(adaptor, **kwargs))(adaptor)


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
    assert not caplog.records, 'no line for every parameter'


def test_accumulation_equals_one_step_on_the_mean_loss():
    single, gathered = tiny_adaptor('SourceOnly').eval(), tiny_adaptor('SourceOnly').eval()
    one, two = build(single), build(gathered, accumulative_counts=2)
    batches = [pair_batch(1), pair_batch(2)]
    before = copy.deepcopy(gathered.state_dict())
    gathered.train_step(batches[0], two)
    assert not two.stepped()
    assert all(torch.equal(before[k], v) for k, v in gathered.state_dict().items())
    gathered.train_step(batches[1], two)
    assert two.stepped()

    batches = [pair_batch(1), pair_batch(2)]
    for batch in batches:
        data = single.data_preprocessor(batch, training=True)['source']
        one['segmentor'].backward(sum(single.supervised_losses(single.segment(data), data).values()) / 2)
    one.step()
    for a, b in zip(single.parameters(), gathered.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_last_incomplete_group_of_iterations_counts_in_full():
    adaptor = tiny_adaptor('SourceOnly')
    wrappers = build(adaptor, accumulative_counts=2)
    wrappers.initialize_count_status(adaptor, 0, 3)
    loss = torch.ones(())
    wrapper = wrappers['segmentor']
    assert wrapper.scale_loss(loss) == 0.5
    wrapper._inner_count = 2
    assert wrapper.scale_loss(loss) == 1.0
    wrapper._inner_count = 3
    assert wrapper.should_update()


def test_bfloat16_trains_on_a_cpu_with_float32_losses():
    adaptor = tiny_adaptor('ADVENT').train()
    seen = []
    adaptor.segmentor.decode_head.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    adaptor.discriminator.register_forward_pre_hook(lambda module, args: seen.append(args[0].dtype))
    wrappers = build(adaptor, precision='bfloat16')
    logs = adaptor.train_step(pair_batch(), wrappers)
    assert seen[0] == torch.bfloat16
    assert torch.float32 in seen, 'the discriminator gets float32 maps'
    assert all(torch.isfinite(value) for value in logs.values())
    assert all(p.dtype == torch.float32 for p in adaptor.parameters())
    assert not torch.is_autocast_enabled('cpu'), 'the context is closed after the step'


def scaled(net: nn.Module, fixed_scale=None, **kwargs) -> ModuleOptimWrapper:
    scaler = torch.amp.GradScaler('cpu', init_scale=512.0)
    return ModuleOptimWrapper(torch.optim.SGD(net.parameters(), lr=0.1), scaler, fixed_scale, **kwargs)


def test_a_loss_scaler_changes_nothing_but_the_range():
    nets = [nn.Linear(3, 1) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    wrappers = (
        scaled(nets[0], clip_grad=dict(max_norm=0.1)),
        ModuleOptimWrapper(torch.optim.SGD(nets[1].parameters(), lr=0.1), clip_grad=dict(max_norm=0.1)),
    )
    for net, wrapper in zip(nets, wrappers, strict=True):
        for _ in range(2):  # two parts of one iteration
            wrapper.backward(net(torch.ones(2, 3)).square().mean())
        wrapper.update()
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(wrappers[0].grad_norm, wrappers[1].grad_norm)


@pytest.mark.parametrize('fixed, after', [(None, 256.0), (512.0, 512.0)])
def test_an_overflow_skips_the_step_and_lowers_the_scale_unless_it_is_fixed(fixed, after):
    net = nn.Linear(3, 1)
    wrapper = scaled(net, fixed)
    before = net.weight.detach().clone()
    wrapper.backward(net(torch.full((1, 3), float('inf'))).sum())
    wrapper.update()
    assert torch.equal(net.weight, before) and wrapper.scaler.get_scale() == after
    wrapper.backward(net(torch.ones(1, 3)).sum())
    wrapper.update()
    assert not torch.equal(net.weight, before)


def test_a_module_may_rest_in_an_iteration_and_the_scale_is_resumed():
    net = nn.Linear(3, 1)
    wrapper = scaled(net)
    wrapper.update()
    wrapper.backward(net(torch.full((1, 3), float('inf'))).sum())
    wrapper.update()
    fresh = scaled(net)
    fresh.load_state_dict(wrapper.state_dict())
    assert fresh.scaler.get_scale() == wrapper.scaler.get_scale() == 256.0


@pytest.mark.skipif(not torch.cuda.is_available(), reason='float16 autocast needs a GPU')
def test_float16_trains():
    adaptor = tiny_adaptor('ADVENT').cuda().train()
    wrappers = build(adaptor, precision='float16')
    before = adaptor.segmentor.decode_head.branches[0].weight.detach().clone()
    for _ in range(3):
        logs = adaptor.train_step(pair_batch(), wrappers)
    assert all(torch.isfinite(value) for value in logs.values())
    assert not torch.equal(before, adaptor.segmentor.decode_head.branches[0].weight)


@pytest.mark.parametrize('entry', [dict(type='AmpOptimWrapper'), dict(accumulative_counts=4), dict(clip_gard={})])
def test_unknown_keys_of_an_entry_are_errors(entry):
    adaptor = tiny_adaptor('SourceOnly')
    with pytest.raises(ValueError, match=f'unknown keys .*{next(iter(entry))}.*known are optimizer'):
        PerModuleOptimWrapperConstructor(dict(segmentor=dict(optimizer=dict(type='SGD', lr=1.0), **entry)))(adaptor)


def test_clipped_norms_are_logged_by_module():
    adaptor = tiny_adaptor('ADVENT').train()
    cfg = optim_cfg(adaptor)
    for entry in cfg.values():
        entry['clip_grad'] = dict(max_norm=1e-3)
    logs = adaptor.train_step(pair_batch(), PerModuleOptimWrapperConstructor(cfg)(adaptor))
    assert {'segmentor.grad_norm', 'discriminator.grad_norm', 'aux_discriminator.grad_norm'} <= set(logs)
    assert isinstance(logs['segmentor.grad_norm'], torch.Tensor)


def test_precision_errors():
    with pytest.raises(ValueError, match="precision='int8'"):
        make_scaler('int8', 'dynamic')
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match='needs a GPU'):
            make_scaler('float16', 'dynamic')


def test_optimizer_states_round_trip_and_other_names_are_refused():
    adaptor = tiny_adaptor('ADVENT').train()
    wrappers = build(adaptor)
    adaptor.train_step(pair_batch(), wrappers)
    state = wrappers.state_dict()
    fresh = build(adaptor)
    fresh.load_state_dict(state)
    first = next(iter(fresh['segmentor'].optimizer.state.values()))
    assert first['momentum_buffer'].abs().sum() > 0
    del state['discriminator']
    with pytest.raises(KeyError, match='the checkpoint has optimizers for'):
        fresh.load_state_dict(state)


@pytest.mark.parametrize('version', ['0.4', '1.5', '1.9'])
@pytest.mark.parametrize('momentum', [0.9, 0.0])
def test_legacy_sgd_without_repeats_is_sgd(version, momentum):
    torch.manual_seed(0)
    nets = [nn.Linear(5, 3) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    settings = dict(lr=0.1, momentum=momentum, weight_decay=0.01)
    optimizers = (
        LegacySGD(nets[0].parameters(), **settings, version=version),
        torch.optim.SGD(nets[1].parameters(), **settings),
    )
    for _ in range(4):
        x = torch.rand(2, 5)
        for net, optimizer in zip(nets, optimizers, strict=True):
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    'version, weights',
    [
        # g=3+.2*1=3.2, v=3.2, p=1-.32=.68; g=3.2+.2*.68=3.336, v=1.6+3.336=4.936, p=.68-.4936=.1864
        # g=1+.2*.1864=1.03728, v=2.468+1.03728=3.50528, p=-.164128; g=1.0044544, v=2.7570944, p=-.43983744
        ('0.4', [0.1864, -0.43983744]),
        # d=3.2, v=3.2, p=.68; d=3.136, v=4.736, p=.2064
        # d=1.04128, v=3.40928, p=-.134528; d=.9730944, v=2.6777344, p=-.40230144
        ('1.5', [0.2064, -0.40230144]),
        # d=3.2, v=3.2, p=.68; d=v=3.136, p=.3664
        # d=1.07328, v=2.64128, p=.102272; d=1.0204544, v=2.3410944, p=-.13183744
        ('1.9', [0.3664, -0.13183744]),
    ],
)
def test_legacy_sgd_treats_repeats_as_a_release_of_pytorch_did(version, weights):
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = LegacySGD([weight], lr=0.1, momentum=0.5, weight_decay=0.2, repeats=2, version=version)
    for gradient, after in zip((3.0, 1.0), weights, strict=True):
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        torch.testing.assert_close(weight.detach(), torch.tensor([after]))  # by hand, as written above


def test_legacy_sgd_knows_its_versions():
    with pytest.raises(ValueError, match="version='2.0', expected one of"):
        LegacySGD([nn.Parameter(torch.zeros(1))], lr=0.1, version='2.0')


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
