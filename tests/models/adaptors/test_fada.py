"""FADA: its losses, and the networks that each of them trains."""

import copy

import pytest
import torch
import torch.nn.functional as F
from processes import run_on_processes
from toolbox import NUM_CLASSES, pair_batch, prepared, tiny_adaptor, tiny_segmentor, two_stage_head, wrappers_of

from mmuda.engine import AdaptorDistributedDataParallel

WIDTH = 32


def fada(**kwargs):
    critic = dict(type='PixelDiscriminatorHead', in_channels=WIDTH, num_classes=NUM_CLASSES, channels=(8, 4))
    return tiny_adaptor('FADA', two_levels=False, discriminator=critic, **kwargs).train()


def parts_of(adaptor, batch: dict):
    """Yield the name and the losses of each part, and the networks that get gradients from it."""
    data = prepared(adaptor, batch)
    modules = dict(
        backbone=adaptor.segmentor.backbone, head=adaptor.segmentor.decode_head, critic=adaptor.discriminator
    )
    for name, losses in adaptor.adapt(data['source'], data['target']):
        adaptor.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        reached = {
            key
            for key, module in modules.items()
            if any(p.grad is not None and p.grad.any() for p in module.parameters())
        }
        yield name, losses, reached


def test_whom_the_losses_reach(batch):
    adaptor = fada()
    found = [(name, set(losses), reached) for name, losses, reached in parts_of(adaptor, batch)]
    assert found == [
        ('segmentor', {'loss_seg_main'}, {'backbone', 'head'}),
        ('segmentor', {'loss_adv'}, {'backbone'}),
        ('discriminator', {'loss_dis_source'}, {'critic'}),
        ('discriminator', {'loss_dis_target'}, {'critic'}),
    ]


def test_the_discriminator_is_frozen_only_meanwhile(batch):
    adaptor = fada()
    trained = [all(p.requires_grad for p in adaptor.discriminator.parameters()) for _ in parts_of(adaptor, batch)]
    assert trained == [True, False, True, True]
    assert all(p.requires_grad for p in adaptor.parameters())


def test_the_losses(batch):
    """The losses are those of the formulas. Batch-norm is frozen, so that all passes use the same network."""
    adaptor = fada(temperature=0.05, clip=0.8).eval()
    losses = {}
    for _, part, _ in parts_of(adaptor, batch):
        losses.update({key: value.item() for key, value in part.items()})
    adaptor.zero_grad(set_to_none=True)
    log = adaptor.train_step(copy.deepcopy(batch), wrappers_of(adaptor, lr=0.0))
    data = prepared(adaptor, batch)

    def full(maps, side):
        return F.interpolate(maps, size=data[side]['inputs'].shape[-2:], mode='bilinear', align_corners=True)

    with torch.no_grad():
        expected, clipped = {}, 0
        for side in ('source', 'target'):
            outputs = adaptor.segment(data[side])
            logits = full(outputs.logits['main'], side) / 0.05
            soft = logits.softmax(dim=1).clamp(max=0.8)
            clipped += (soft == 0.8).sum()
            log_probs = full(adaptor.discriminator(outputs.features[3]), side).log_softmax(dim=1)
            halves = dict(zip(('source', 'target'), log_probs.split(NUM_CLASSES, dim=1), strict=True))
            expected[f'loss_dis_{side}'] = -0.5 * (soft * halves[side]).sum(dim=1).mean()
            if side == 'target':
                expected['loss_adv'] = -0.001 * (soft * halves['source']).sum(dim=1).mean()
            else:
                labels = torch.cat([sample.gt_sem_seg.data for sample in data[side]['data_samples']])
                expected['loss_seg_main'] = F.cross_entropy(logits, labels, ignore_index=255)
    assert clipped
    assert losses == pytest.approx({key: value.item() for key, value in expected.items()}, rel=1e-4)
    assert log['loss_adv'].item() == pytest.approx(1000 * losses['loss_adv'])


def test_a_step_trains_every_child(batch):
    adaptor = fada()
    before = {name: value.detach().clone() for name, value in adaptor.named_parameters()}
    wrappers = wrappers_of(adaptor)
    logs = adaptor.train_step(batch, wrappers)
    same = [name for name, value in adaptor.named_parameters() if torch.equal(before[name], value)]
    assert not same
    assert set(wrappers.keys()) == {'segmentor', 'discriminator'}
    assert set(logs) == {'loss_seg_main', 'loss_adv', 'loss_dis_source', 'loss_dis_target'}
    assert all(value.isfinite() and not value.requires_grad for value in logs.values())
    assert all(p.grad is None for p in adaptor.parameters())


def test_the_classifier_learns_from_the_source_alone():
    states = {}
    for weight in (0.0, 100.0):
        adaptor = fada(loss_weights=dict(adv=weight))
        adaptor.train_step(pair_batch(), wrappers_of(adaptor))
        states[weight] = adaptor.state_dict()
    differing = {
        '.'.join(key.split('.')[:2]) for key in states[0.0] if not torch.equal(states[0.0][key], states[100.0][key])
    }
    assert differing == {'segmentor.backbone'}


def test_half_precision(batch):
    exact, half = fada(), fada()
    exact_logs = exact.train_step(copy.deepcopy(batch), wrappers_of(exact, lr=0.0))
    logs = half.train_step(batch, wrappers_of(half, lr=0.0, precision='bfloat16'))
    for key, value in exact_logs.items():
        assert logs[key].dtype == torch.float32
        torch.testing.assert_close(logs[key], value, rtol=0.03, atol=0.01)


def test_a_head_of_several_stages_is_refused():
    segmentor = tiny_segmentor(two_levels=False)
    segmentor.decode_head = two_stage_head()
    critic = dict(type='PixelDiscriminatorHead', in_channels=48, num_classes=NUM_CLASSES, channels=(8, 4))
    with pytest.raises(
        ValueError,
        match=r'FADA needs a decode head that takes one feature map, .* its in_index is \(2, 3\) and .*: choose a head',
    ):
        tiny_adaptor('FADA', segmentor=segmentor, discriminator=critic)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(temperature=0.0), 'temperature=0.0'),
        (dict(clip=1.5), 'clip=1.5'),
        (
            dict(discriminator=dict(type='PixelDiscriminatorHead', in_channels=31, num_classes=NUM_CLASSES)),
            'in_channels is 31',
        ),
        (dict(discriminator=dict(type='PixelDiscriminatorHead', in_channels=WIDTH, num_classes=9)), 'num_classes is 9'),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tiny_adaptor(
            'FADA',
            **{
                **dict(discriminator=dict(type='PixelDiscriminatorHead', in_channels=WIDTH, num_classes=NUM_CLASSES)),
                **options,
            },
        )


def test_unknown_weights_are_refused():
    with pytest.raises(
        ValueError, match=r"FADA: unknown loss_weights \['adv_main'\], known are \['adv', 'seg_aux', 'seg_main'\]"
    ):
        fada(loss_weights=dict(adv_main=1.0))


def three_steps(model, rank: int | None = None) -> dict:
    """Return the state after three steps, on the whole batch or on the image of one rank."""
    bare = getattr(model, 'module', model)
    wrappers = wrappers_of(bare, lr=1e-4)
    for _ in range(3):
        batch = pair_batch(batch_size=2)
        if rank is not None:
            batch = {name: {key: one[key][rank : rank + 1] for key in one} for name, one in batch.items()}
        model.train_step(batch, wrappers)
    return bare.state_dict()


def three_steps_of_a_rank(rank: int) -> dict:
    return three_steps(AdaptorDistributedDataParallel(two_levels(loss_weights=dict(adv=1.0))), rank)


def two_levels(**kwargs):
    critic = dict(type='PixelDiscriminatorHead', in_channels=WIDTH, num_classes=NUM_CLASSES, channels=(8, 4))
    return tiny_adaptor('FADA', discriminator=critic, **kwargs).eval()


def test_two_processes_do_not_wait_for_heads_without_gradients(tmp_path):
    """Two processes end with the weights of one process that trains on the whole batch."""
    model = two_levels(loss_weights=dict(adv=1.0))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    whole = three_steps(model)
    assert any(not torch.equal(before[name], value) for name, value in whole.items())
    for found in run_on_processes(three_steps_of_a_rank, tmp_path):
        assert set(found) == set(whole)
        for name, value in whole.items():
            torch.testing.assert_close(
                found[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, n=name: f'{n}: {text}'
            )
