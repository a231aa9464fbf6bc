"""SIM beyond its stored values: who learns from what, what is saved, what is refused."""
import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.structures import PixelData
from toolbox import NUM_CLASSES, optim_cfg, pair_batch, tiny_adaptor, tiny_segmentor

from mmuda.engine import PerModuleOptimWrapperConstructor

TESTS = Path(__file__).parents[1]
SEEN = dict(stuff=(0, 1), things=(2, 3), prototypes=1)


def sim(**kwargs):
    critic = dict(type='FCDiscriminatorHead', in_channels=NUM_CLASSES, base_channels=2)
    return tiny_adaptor('SIM', two_levels=False, discriminator=critic, **{**SEEN, **kwargs})


def fill(model) -> None:
    """Memories of random vectors that count as full."""
    for memory in (model.stuff_memory, model.thing_memory):
        memory.entries.normal_()
        memory.count.fill_(memory.slots + 1)


def prepared(model, **kwargs) -> dict:
    return model.data_preprocessor(copy.deepcopy(pair_batch(**kwargs)), training=True)


def agreeing(model, batch: dict) -> dict:
    """A batch whose labels are what the network predicts, so that there is something to remember."""
    predicted = model.segment(batch).upsample('main').argmax(dim=1)
    for sample, label in zip(batch['data_samples'], predicted):
        sample.gt_sem_seg = PixelData(data=label[None])
    return batch


def test_nothing_is_aligned_before_there_are_memories():
    model = sim().eval()
    losses = model.alignment_losses(model.segment(prepared(model)['target']))
    assert set(losses) == {'loss_stuff', 'loss_ins'} and all(loss == 0 for loss in losses.values())
    fill(model)
    assert model.alignment_losses(model.segment(prepared(model)['target']))['loss_ins'] > 0


def test_the_source_is_remembered_and_the_target_is_not():
    model = sim().eval()
    data = prepared(model)
    outputs = model.segment(data['target'])
    model.alignment_losses(outputs)
    assert not model.stuff_memory.count.any() and not model.thing_memory.count.any()
    source = agreeing(model, data['source'])
    model.remember(model.segment(source), source)
    assert model.stuff_memory.count.any() or model.thing_memory.count.any()
    for sample in source['data_samples']:
        sample.gt_sem_seg.data.fill_(255)
    counts = model.stuff_memory.count.clone()
    model.remember(model.segment(source), source)
    assert torch.equal(counts, model.stuff_memory.count), 'only what has a label and the right prediction'


def test_a_batch_is_remembered_image_by_image():
    together, apart = sim().eval(), sim().eval()
    source = agreeing(together, prepared(together)['source'])
    together.remember(together.segment(source), source)
    for i in range(2):
        one = dict(inputs=source['inputs'][i:i + 1], data_samples=source['data_samples'][i:i + 1])
        apart.remember(apart.segment(one), one)
    for name, value in apart.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name], value, msg=name)


def test_losses_are_means_over_images():
    model = sim().eval()
    fill(model)
    target = prepared(model)['target']
    both = model.alignment_losses(model.segment(target))
    single = [model.alignment_losses(model.segment(dict(inputs=target['inputs'][i:i + 1]))) for i in range(2)]
    for name, loss in both.items():
        torch.testing.assert_close(loss, (single[0][name] + single[1][name]) / 2)


def test_whom_the_losses_reach(batch):
    model = sim().train()
    fill(model)
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    names = []
    for name, losses in model.adapt(data['source'], data['target']):
        model.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        reached = {child for child, module in model.named_children()
                   if any(p.grad is not None and p.grad.any() for p in module.parameters())}
        assert reached == {name}
        names.append((name, sorted(losses)))
    assert names == [
        ('segmentor', ['loss_seg_main']), ('segmentor', ['loss_adv_main', 'loss_ins', 'loss_stuff']),
        ('discriminator', ['loss_dis_main_source']), ('discriminator', ['loss_dis_main_target'])]
    losses = model.alignment_losses(model.segment(data['target']))
    model.zero_grad(set_to_none=True)
    losses['loss_ins'].backward()
    assert all(p.grad is None for p in model.segmentor.decode_head.parameters()), 'features alone'
    assert any(p.grad is not None and p.grad.any() for p in model.segmentor.backbone.parameters())


def test_pseudo_labels_make_the_second_phase(batch):
    model = sim().train()
    wrappers = PerModuleOptimWrapperConstructor(optim_cfg(model))(model)
    assert 'loss_seg_target' not in model.train_step(copy.deepcopy(batch), wrappers)
    for sample in batch['target']['data_samples']:
        sample.gt_sem_seg = PixelData(data=torch.ones(1, 48, 40, dtype=torch.int64))
    assert model.train_step(batch, wrappers)['loss_seg_target'] > 0


def test_memories_are_saved_and_resumed(batch):
    model, other = sim().train(), sim().train()
    PerModuleOptimWrapperConstructor(optim_cfg(model))(model)
    fill(model)
    state = model.state_dict()
    assert {'stuff_memory.entries', 'stuff_memory.count', 'thing_memory.entries', 'thing_memory.count'} <= set(state)
    assert 'region_classes' not in state
    other.load_state_dict(state)
    assert torch.equal(other.thing_memory.entries, model.thing_memory.entries)


@pytest.mark.parametrize('options, message', [
    (dict(stuff=(0, 2)), 'must be different ids of the 4 classes'), (dict(things=(2, 4)), 'must be different ids'),
    (dict(gan='other'), "gan='other'")])
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sim(**options)


def test_an_auxiliary_head_is_refused():
    with pytest.raises(ValueError, match='every level needs its discriminator|SIM has one level'):
        sim(segmentor=tiny_segmentor(two_levels=True))


def test_half_precision(batch):
    model = sim().train()
    fill(model)
    wrappers = PerModuleOptimWrapperConstructor(optim_cfg(model, precision='bfloat16'))(model)
    logs = model.train_step(batch, wrappers)
    assert all(torch.isfinite(value) for value in logs.values()) and logs['loss_ins'] > 0


SCRIPT = f'''
import sys, torch, torch.distributed as dist
sys.path[:0] = [{str(TESTS.parent)!r}, {str(TESTS)!r}, {str(TESTS / 'test_models')!r}]
from test_sim import agreeing, prepared, sim
from mmuda.engine.distributed import leave_at_exit
def main():
    dist.init_process_group('gloo')
    leave_at_exit()
    rank = dist.get_rank()
    states = []
    for gather in (True, False):
        model = sim(gather=gather).eval()
        source = agreeing(model, prepared(model)['source'])
        own = dict(inputs=source['inputs'][rank:rank + 1], data_samples=source['data_samples'][rank:rank + 1])
        model.remember(model.segment(own), own)
        states.append(model.state_dict())
    torch.save(states, sys.argv[1] + str(rank))
main()
'''


def test_two_processes_remember_the_images_of_both(tmp_path):
    script = tmp_path / 'remember.py'
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', str(script), str(tmp_path / 'state')],
        capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS='1'), timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    (first, first_own), (second, second_own) = (torch.load(tmp_path / f'state{rank}', weights_only=True) for rank in (0, 1))
    whole = sim().eval()
    source = agreeing(whole, prepared(whole)['source'])
    whole.remember(whole.segment(source), source)
    names = [name for name in first if 'memory' in name]
    for name in names:
        torch.testing.assert_close(first[name], whole.state_dict()[name], msg=name)
        assert torch.equal(first[name], second[name]), name
    assert any(not torch.equal(first_own[name], second_own[name]) for name in names)
