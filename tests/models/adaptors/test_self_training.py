"""SelfTraining: one batch of both domains, one mean over their labelled pixels, frozen statistics."""

import copy

import pytest
import torch
from processes import run_on_processes
from toolbox import labelled_side, prepared, side, tiny_adaptor, tiny_segmentor, wrappers_of
from torch import nn

from mmuda.engine import AdaptorDistributedDataParallel

SIZE, STRIDE8 = (40, 56), (6, 8)  # the pooling of the stem rounds up


def losses_of(adaptor, data: dict):
    """Return the losses of an iteration, its log, and its gradients."""
    log = adaptor.train_step(copy.deepcopy(data), wrappers_of(adaptor, lr=0.0))
    data = prepared(adaptor, data)
    ((name, losses),) = adaptor.adapt(data.get('source'), data.get('target'))
    assert name == 'segmentor'
    gradients = torch.autograd.grad(sum(losses.values()), list(adaptor.segmentor.parameters()))
    return losses, log, gradients


def by_hand(adaptor, batch: list, level: str, upsample: bool):
    """Return the sum of the cross-entropy and the number of labelled pixels of each image."""
    inputs = torch.stack([image.float() for image, _ in batch])
    outputs = adaptor.segmentor(inputs, mode='outputs')
    logits = outputs.upsample(level) if upsample else outputs.logits[level]
    log_probs, found = logits.log_softmax(dim=1), []
    for log_prob, (_, sample) in zip(log_probs, batch, strict=True):
        label = sample.gt_sem_seg.data[0]
        rows, columns = (label != 255).nonzero().unbind(dim=1)
        found.append((-log_prob[label[rows, columns], rows, columns].sum(), len(rows)))
    return found


@pytest.mark.parametrize('label_size', [SIZE, STRIDE8])
@pytest.mark.parametrize('numbers', [(2, 1), (1, 3), (2, 0), (0, 2)])
def test_one_mean_over_the_labelled_pixels_of_both_domains(numbers, label_size):
    adaptor = tiny_adaptor('SelfTraining').train()
    made = dict(
        source=labelled_side(1, numbers[0], 0.1, label_size), target=labelled_side(2, numbers[1], 0.8, label_size)
    )
    data = {name: part for name, part in made.items() if part['inputs']}
    losses, log, gradients = losses_of(adaptor, data)
    batch = [pair for part in data.values() for pair in zip(part['inputs'], part['data_samples'], strict=True)]
    total = 0.0
    for level, weight in (('aux', 0.1), ('main', 1.0)):
        found = by_hand(adaptor, batch, level, label_size == SIZE)
        mean = sum(loss for loss, _ in found) / sum(count for _, count in found)
        torch.testing.assert_close(log[f'loss_seg_{level}'], mean)
        torch.testing.assert_close(losses[f'loss_seg_{level}'], weight * mean)
        total = total + weight * mean
    expected = torch.autograd.grad(total, list(adaptor.segmentor.parameters()))
    torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-5)
    # The log also has the losses of each domain at the main level.
    parts = dict(zip(('source', 'target'), (found[: numbers[0]], found[numbers[0] :]), strict=True))
    shown = {
        f'{name}_loss': sum(loss for loss, _ in part) / sum(count for _, count in part)
        for name, part in parts.items()
        if part
    }
    torch.testing.assert_close({key: log[key] for key in log if not key.startswith('loss_seg')}, shown)


def test_the_domains_apart_are_shown_and_not_optimised():
    adaptor = tiny_adaptor('SelfTraining').train()
    logs = adaptor.train_step(dict(source=labelled_side(1, 1), target=labelled_side(2, 1)), wrappers_of(adaptor))
    assert set(logs) == {'loss_seg_aux', 'loss_seg_main', 'source_loss', 'target_loss'}
    assert not any(value.requires_grad for value in logs.values())


def test_nothing_labelled_is_a_zero_and_the_optimizer_steps():
    adaptor = tiny_adaptor('SelfTraining').train()
    data = dict(source=labelled_side(1, 1, ignored=1.0), target=labelled_side(2, 1, ignored=1.0))
    losses, log, gradients = losses_of(adaptor, data)
    assert all(loss == 0 for loss in losses.values()) and log['source_loss'] == log['target_loss'] == 0
    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in gradients)
    wrappers = wrappers_of(adaptor)
    for group in wrappers['segmentor'].optimizer.param_groups:
        group['weight_decay'] = 0.5
    weight = adaptor.segmentor.decode_head.branches[0].weight
    before = weight.detach().clone()
    adaptor.train_step(data, wrappers)
    torch.testing.assert_close(weight.detach(), before * (1 - 0.01 * 0.5))


def test_half_precision_has_the_loss_of_float32():
    adaptor = tiny_adaptor('SelfTraining').train()
    data = dict(source=labelled_side(1, 2), target=labelled_side(2, 1))
    exact = adaptor.train_step(copy.deepcopy(data), wrappers_of(adaptor, lr=0.0))
    half = adaptor.train_step(copy.deepcopy(data), wrappers_of(adaptor, lr=0.0, precision='bfloat16'))
    for key, value in exact.items():
        assert half[key].dtype == torch.float32
        torch.testing.assert_close(half[key], value, rtol=0.02, atol=0.02)


# Invalid batches.


@pytest.mark.parametrize(
    'source, target, message',
    [
        (
            dict(size=(40, 56), label_size=(40, 56)),
            dict(size=(40, 40), label_size=(40, 40)),
            r'images of the source are \(40, 56\) and the target are \(40, 40\) \(H, W\): crop the images',
        ),
        (
            dict(label_size=STRIDE8),
            dict(),
            r'of one size, but those of the source are \(6, 8\) and the target are \(40, 56\).*sample the label maps',
        ),
        (
            dict(label_size=(5, 7)),
            dict(label_size=(5, 7)),
            r'label maps are \(5, 7\), but the aux logits are \(6, 8\) and the images \(40, 56\).*at the stride of',
        ),
    ],
)
def test_sizes_that_do_not_fit(source, target, message):
    adaptor = tiny_adaptor('SelfTraining').train()
    data = dict(source=labelled_side(1, 1, **source), target=labelled_side(2, 2, **target))
    with pytest.raises(ValueError, match=message):
        adaptor.train_step(data, wrappers_of(adaptor))


def test_a_target_without_labels_is_an_error():
    adaptor = tiny_adaptor('SelfTraining').train()
    data = dict(source=labelled_side(1, 1), target=side(2, False))
    data['target']['data_samples'][1].set_metainfo(dict(img_path='town_7.png'))
    data['target']['data_samples'][0] = labelled_side(3, 1)['data_samples'][0]
    with pytest.raises(
        ValueError, match='1 of the target have none, the first is town_7.png: load label maps .*pseudo labels'
    ):
        adaptor.train_step(data, wrappers_of(adaptor))


# Batch-norm.


def norm_state(adaptor) -> tuple:
    norms = [module for module in adaptor.segmentor.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    return norms, [
        (
            norm.running_mean.clone(),
            norm.running_var.clone(),
            norm.num_batches_tracked.clone(),
            norm.weight.detach().clone(),
            norm.bias.detach().clone(),
        )
        for norm in norms
    ]


@pytest.mark.parametrize('how', ['adaptor', 'backbone', 'free'])
def test_frozen_statistics_and_trained_affine_parameters(how):
    segmentor = tiny_segmentor()
    segmentor.backbone.norm_eval = how == 'backbone'
    adaptor = tiny_adaptor('SelfTraining', segmentor=segmentor, freeze_bn_statistics=how == 'adaptor')
    with torch.no_grad():
        for norm in norm_state(adaptor)[0]:
            norm.running_mean.normal_(std=0.1)
            norm.running_var.uniform_(0.5, 2.0)
    norms, before = norm_state(adaptor)
    wrappers = wrappers_of(adaptor)
    for step in range(2):
        adaptor.train()  # mmengine's loop calls this in every iteration
        adaptor.train_step(dict(source=labelled_side(step, 1), target=labelled_side(9 + step, 1)), wrappers)
    assert adaptor.training and adaptor.segmentor.decode_head.training
    _, after = norm_state(adaptor)
    for norm, old, new in zip(norms, before, after, strict=True):
        assert norm.training == (how == 'free')
        for was, now in zip(old[:3], new[:3], strict=True):
            assert torch.equal(was, now) == (how != 'free')
        assert not torch.equal(old[3], new[3]) and not torch.equal(old[4], new[4]), 'scale and shift must be trained'


def test_frozen_statistics_are_those_that_normalise():
    adaptor = tiny_adaptor('SelfTraining', freeze_bn_statistics=True)
    data = dict(source=labelled_side(1, 2), target=labelled_side(2, 1))
    trained = losses_of(adaptor.train(), data)[1]
    tested = losses_of(adaptor.eval(), data)[1]
    torch.testing.assert_close(trained, tested, rtol=0, atol=0)


# Several processes.


def shares(step: int) -> list:
    """Return the batches of two processes; the second one gets only source, only target, or no labelled pixels."""
    both = dict(source=labelled_side(step, 1), target=labelled_side(step + 10, 1))
    alone = [
        dict(source=labelled_side(step + 20, 2)),
        dict(target=labelled_side(step + 30, 2, ignored=0.9)),
        dict(target=labelled_side(step + 40, 2, ignored=1.0)),
    ]
    return [both, alone[step]]


def three_steps(rank: int) -> dict:
    model = AdaptorDistributedDataParallel(tiny_adaptor('SelfTraining', freeze_bn_statistics=True))
    wrappers = wrappers_of(model.module)
    for step in range(3):
        model.train()
        model.train_step(shares(step)[rank], wrappers)
    return model.module.state_dict()


def test_two_processes_one_of_which_drew_only_one_domain(tmp_path):
    """Two processes average their gradients, like one process that accumulates two iterations."""
    adaptor = tiny_adaptor('SelfTraining', freeze_bn_statistics=True).train()
    wrappers = wrappers_of(adaptor, accumulative_counts=2)
    for step in range(3):
        for share in shares(step):
            adaptor.train_step(share, wrappers)
    first, second = run_on_processes(three_steps, tmp_path)
    assert set(first) == set(second) == set(adaptor.state_dict())
    for name, value in adaptor.state_dict().items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(
            first[name], value, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f'{name}: {text}'
        )
