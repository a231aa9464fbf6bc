"""SelfTraining: one batch of both domains, one mean over their labelled pixels, frozen statistics."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from toolbox import NUM_CLASSES, optim_cfg, side, tiny_adaptor, tiny_segmentor
from torch.nn.modules.batchnorm import _BatchNorm

from mmuda.engine import PerModuleOptimWrapperConstructor

SIZE, STRIDE8 = (40, 56), (6, 8)  # the stem pool rounds up
TESTS = Path(__file__).parents[1]


def images(seed: int, number: int, ignored: float = 0.3, label_size=SIZE, size=SIZE) -> dict:
    """One labelled side of a batch; a share of its pixels is ignored."""
    made = side(seed, False, size=size, batch_size=number)
    generator = torch.Generator().manual_seed(seed)
    for sample in made['data_samples']:
        label = torch.randint(NUM_CLASSES, (1, *label_size), generator=generator)
        label[torch.rand(label.shape, generator=generator) < ignored] = 255
        sample.gt_sem_seg = PixelData(data=label)
    return made


def wrappers_of(adaptor, **kwargs):
    return PerModuleOptimWrapperConstructor(optim_cfg(adaptor, **kwargs))(adaptor)


def losses_of(adaptor, data: dict):
    """What one iteration yields, its log, and the gradients it makes."""
    adaptor._logged = {}
    data = adaptor.data_preprocessor(copy.deepcopy(data), training=True)
    ((name, losses),) = adaptor.adapt(data.get('source'), data.get('target'))
    assert name == 'segmentor'
    gradients = torch.autograd.grad(sum(losses.values()), list(adaptor.segmentor.parameters()))
    return losses, adaptor._logged, gradients


def by_hand(adaptor, batch: list, level: str, upsample: bool):
    """Summed cross-entropy and number of labelled pixels of each image."""
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
    made = dict(source=images(1, numbers[0], 0.1, label_size), target=images(2, numbers[1], 0.8, label_size))
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
    # What is shown of each domain, of the main level.
    parts = dict(zip(('source', 'target'), (found[: numbers[0]], found[numbers[0] :]), strict=True))
    shown = {
        f'{name}_loss': sum(loss for loss, _ in part) / sum(count for _, count in part)
        for name, part in parts.items()
        if part
    }
    torch.testing.assert_close({key: log[key] for key in log if not key.startswith('loss_seg')}, shown)


def test_the_domains_apart_are_shown_and_not_optimised():
    adaptor = tiny_adaptor('SelfTraining').train()
    logs = adaptor.train_step(dict(source=images(1, 1), target=images(2, 1)), wrappers_of(adaptor))
    assert set(logs) == {'loss_seg_aux', 'loss_seg_main', 'source_loss', 'target_loss'}
    assert not any(value.requires_grad for value in logs.values())


def test_nothing_labelled_is_a_zero_and_the_optimizer_steps():
    adaptor = tiny_adaptor('SelfTraining').train()
    data = dict(source=images(1, 1, ignored=1.0), target=images(2, 1, ignored=1.0))
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
    data = dict(source=images(1, 2), target=images(2, 1))
    exact = adaptor.train_step(copy.deepcopy(data), wrappers_of(adaptor, lr=0.0))
    half = adaptor.train_step(copy.deepcopy(data), wrappers_of(adaptor, lr=0.0, precision='bfloat16'))
    for key, value in exact.items():
        assert half[key].dtype == torch.float32
        torch.testing.assert_close(half[key], value, rtol=0.02, atol=0.02)


# What it says about batches that do not fit


@pytest.mark.parametrize(
    'source, target, message',
    [
        (
            dict(size=(40, 56), label_size=(40, 56)),
            dict(size=(40, 40), label_size=(40, 40)),
            r'images of the source are \(40, 56\) and the target are \(40, 40\).*crop those of both to one size',
        ),
        (
            dict(label_size=STRIDE8),
            dict(),
            r'of one size, but those of the source are \[\(6, 8\)\] and the target are \[\(40, 56\)\].*label_stride',
        ),
        (
            dict(label_size=(5, 7)),
            dict(label_size=(5, 7)),
            r'labels are \(5, 7\), but the aux logits are \(6, 8\) and the images \(40, 56\).*label_stride',
        ),
    ],
)
def test_sizes_that_do_not_fit(source, target, message):
    adaptor = tiny_adaptor('SelfTraining').train()
    data = dict(source=images(1, 1, **source), target=images(2, 2, **target))
    with pytest.raises(ValueError, match=message):
        adaptor.train_step(data, wrappers_of(adaptor))


def test_a_target_without_labels_is_an_error():
    adaptor = tiny_adaptor('SelfTraining').train()
    data = dict(source=images(1, 1), target=side(2, False))
    data['target']['data_samples'][1].set_metainfo(dict(img_path='town_7.png'))
    data['target']['data_samples'][0] = images(3, 1)['data_samples'][0]
    with pytest.raises(ValueError, match='1 of the target have none, the first is town_7.png.*LoadPseudoLabel'):
        adaptor.train_step(data, wrappers_of(adaptor))


@pytest.mark.parametrize('kind', ['SourceOnly', 'AdaBN', 'MinEnt', 'ADVENT'])
@pytest.mark.parametrize('present', ['source', 'target'])
def test_methods_that_need_both_domains_say_so(kind, present):
    adaptor = tiny_adaptor(kind).train()
    with pytest.raises(ValueError, match=rf"{kind} trains with images of both.*\['{present}'\].*DomainPairDataset"):
        adaptor.train_step({present: images(1, 1)}, wrappers_of(adaptor))


def test_a_plain_batch_is_an_error():
    adaptor = tiny_adaptor('SelfTraining').train()
    with pytest.raises(ValueError, match=r"source, target or both, but the batch has \['data_samples', 'inputs'\]"):
        adaptor.train_step(images(1, 1), wrappers_of(adaptor))


# Batch-norm


def norm_state(adaptor) -> tuple:
    norms = [module for module in adaptor.segmentor.modules() if isinstance(module, _BatchNorm)]
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
        adaptor.train()  # as mmengine's loop does in every iteration
        adaptor.train_step(dict(source=images(step, 1), target=images(9 + step, 1)), wrappers)
    assert adaptor.training and adaptor.segmentor.decode_head.training
    _, after = norm_state(adaptor)
    for norm, old, new in zip(norms, before, after, strict=True):
        assert norm.training == (how == 'free')
        for was, now in zip(old[:3], new[:3], strict=True):
            assert torch.equal(was, now) == (how != 'free')
        assert not torch.equal(old[3], new[3]) and not torch.equal(old[4], new[4]), 'scale and shift are trained'


def test_frozen_statistics_are_those_that_normalise():
    adaptor = tiny_adaptor('SelfTraining', freeze_bn_statistics=True)
    data = dict(source=images(1, 2), target=images(2, 1))
    trained = losses_of(adaptor.train(), data)[1]
    tested = losses_of(adaptor.eval(), data)[1]
    torch.testing.assert_close(trained, tested, rtol=0, atol=0)


# The preprocessor


def preprocessor(**kwargs):
    return MODELS.build(dict(type='DomainPairPreprocessor', **kwargs))


@pytest.mark.parametrize('domain', ['source', 'target'])
def test_labels_at_the_stride_of_the_network_are_not_padded(domain):
    data = {domain: images(1, 2, label_size=(5, 7))}
    given = [sample.gt_sem_seg.data.clone() for sample in data[domain]['data_samples']]
    out = preprocessor(size_divisor=32)(data, training=True)
    assert set(out) == {domain} and out[domain]['inputs'].shape == (2, 3, 64, 64)
    for sample, before, label in zip(out[domain]['data_samples'], data[domain]['data_samples'], given, strict=True):
        assert torch.equal(sample.gt_sem_seg.data, label)
        assert torch.equal(before.gt_sem_seg.data, label), 'the batch that was given is not changed'
        assert sample.img_shape == SIZE


def test_labels_at_the_size_of_the_image_are_padded_with_it():
    out = preprocessor(size_divisor=32)(dict(source=images(1, 1)), training=True)['source']
    label = out['data_samples'][0].gt_sem_seg.data
    assert label.shape == (1, 64, 64) and (label[:, 40:] == 255).all() and (label[:, :, 56:] == 255).all()


def test_test_images_are_padded_with_zeros_if_the_config_says_so():
    data = dict(
        inputs=[torch.full((3, 37, 61), 9, dtype=torch.uint8)],
        data_samples=[SegDataSample(metainfo=dict(ori_shape=(37, 61)))],
    )
    out = preprocessor(mean=[1.0] * 3, std=[2.0] * 3, test_cfg=dict(size_divisor=8))(data)
    assert torch.equal(out['inputs'], F.pad(torch.full((1, 3, 37, 61), 4.0), (0, 3, 0, 3)))
    assert tuple(out['data_samples'][0].img_padding_size) == (0, 3, 0, 3)


# Several processes

STEP = """
import copy, sys, torch, torch.distributed as dist
sys.path.insert(0, {tests!r})
sys.path.insert(0, {tests!r} + '/test_models')
from test_self_training import shares, tiny_adaptor
from mmuda.engine import AdaptorDistributedDataParallel, PerModuleOptimWrapperConstructor
from mmuda.engine.distributed import leave_at_exit
def main():
    dist.init_process_group('gloo')
    leave_at_exit()
    rank = dist.get_rank()
    model = AdaptorDistributedDataParallel(tiny_adaptor('SelfTraining', freeze_bn_statistics=True))
    wrappers = PerModuleOptimWrapperConstructor({cfg})(model)
    for step in range(3):
        model.train()
        model.train_step(shares(step)[rank], wrappers)
    for name, value in model.module.state_dict().items():
        others = [torch.empty_like(value) for _ in range(2)]
        dist.all_gather(others, value)
        assert torch.equal(*others), name
    if rank == 0:
        torch.save(model.module.state_dict(), {out!r})
main()  # wrappers must be gone when the process group is left at exit
"""


def shares(step: int) -> list:
    """What two processes are given: one of them source images, then target images alone, then nothing labelled."""
    both = dict(source=images(step, 1), target=images(step + 10, 1))
    alone = [
        dict(source=images(step + 20, 2)),
        dict(target=images(step + 30, 2, ignored=0.9)),
        dict(target=images(step + 40, 2, ignored=1.0)),
    ]
    return [both, alone[step]]


def test_two_processes_one_of_which_drew_only_one_domain(tmp_path):
    adaptor = tiny_adaptor('SelfTraining', freeze_bn_statistics=True).train()
    cfg = optim_cfg(adaptor)
    script = tmp_path / 'step.py'
    script.write_text(STEP.format(tests=str(TESTS), cfg=repr(cfg), out=str(tmp_path / 'two.pth')))
    out = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', str(script)],
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )
    assert out.returncode == 0, out.stderr[-3000:]

    # The mean of the gradients of both: one process that gathers two iterations for a step.
    wrappers = PerModuleOptimWrapperConstructor(dict(cfg, accumulative_counts=2))(adaptor)
    for step in range(3):
        for share in shares(step):
            adaptor.train_step(share, wrappers)
    two = torch.load(tmp_path / 'two.pth', weights_only=True)
    for name, value in adaptor.state_dict().items():
        torch.testing.assert_close(
            two[name], value, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f'{name}: {text}'
        )
