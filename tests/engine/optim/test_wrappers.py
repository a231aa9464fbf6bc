"""Optimizer wrappers: accumulation, precision, loss scaling, states."""

import copy

import pytest
import torch
from toolbox import optim_cfg, pair_batch, tiny_adaptor
from torch import nn

from mmuda.engine import ModuleOptimWrapper, PerModuleOptimWrapperConstructor
from mmuda.engine.optim.wrappers import make_scaler


def build(adaptor, **kwargs):
    return PerModuleOptimWrapperConstructor(optim_cfg(adaptor, **kwargs))(adaptor)


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
    wrapper = wrappers['segmentor']
    weight = next(parameter for parameter in adaptor.parameters() if parameter.requires_grad)
    factors, steps = [], []
    wrapper.optimizer.register_step_post_hook(lambda *args: steps.append(len(factors)))
    for _ in range(3):
        loss = 0 * weight.sum() + 1
        factors.append(wrapper.scale_loss(loss).item())
        wrapper.backward(loss)
        wrapper.update()
    assert factors == [0.5, 0.5, 1.0]
    assert steps == [2, 3], 'it must step after the second and the last iteration'


def test_bfloat16_trains_on_a_cpu_with_float32_losses():
    adaptor = tiny_adaptor('ADVENT').train()
    seen = []
    adaptor.segmentor.decode_head.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    adaptor.discriminator.register_forward_pre_hook(lambda module, args: seen.append(args[0].dtype))
    wrappers = build(adaptor, precision='bfloat16')
    logs = adaptor.train_step(pair_batch(), wrappers)
    assert seen[0] == torch.bfloat16
    assert torch.float32 in seen, 'the discriminator must get float32 maps'
    assert all(torch.isfinite(value) for value in logs.values())
    assert all(p.dtype == torch.float32 for p in adaptor.parameters())
    assert not torch.is_autocast_enabled('cpu'), 'autocast must be off after the step'


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
        for _ in range(2):  # two losses of one iteration
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
