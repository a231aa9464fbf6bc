"""Losses, statistics, classifiers, discriminator and learning rates of FADA and SDCA, forward and backward."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import SHIPPED_DIR, golden_cases, golden_files, load, scalar, section, steps
from mmengine.optim import PolyLR
from standins_contrast import deviation
from torch import Tensor

from mmuda.engine.hooks import StepSchedulerHook
from mmuda.models.decode_heads import DeepLabV2Head
from mmuda.models.discriminators import PixelDiscriminatorHead
from mmuda.models.labels import nearest_labels
from mmuda.models.losses import (
    SOURCE,
    TARGET,
    contrastive_bound,
    cross_entropy,
    lovasz_softmax,
    soft_cross_entropy,
    soft_labels,
)
from mmuda.models.losses.contrastive import SMALLEST, class_logits
from mmuda.models.memories.class_statistics import ClassStatistics
from mmuda.models.segmentors import SegOutputs

TOLERANCE = 1e-5
LOSS = dict(rtol=TOLERANCE, atol=1e-7)


def leaf(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array).requires_grad_()


def check_gradient(ours: Tensor, stored: np.ndarray, name: str = '', axis=None, rounding=0.0) -> None:
    """Compare relative to the largest value of the array or of each slice, or to 1 % of their median if larger."""
    scale = np.abs(stored).max(axis=axis, keepdims=True)
    scale = np.maximum(scale, 1e-2 * np.median(scale))
    assert scale.max() > 0, f'{name}: the stored gradient is zero'
    assert (np.abs(ours.numpy() - stored) <= TOLERANCE * scale + rounding).all(), name


def upsampled(logits: Tensor, size) -> Tensor:
    return SegOutputs(dict(main=logits), (), tuple(int(n) for n in size), align_corners=True).upsample('main')


# SDCA.


def as_maps(rows: Tensor) -> Tensor:
    """Return vectors (P, D) as a map (1, D, 1, P)."""
    return rows.T[None, :, None]


@pytest.mark.parametrize('path', golden_files('sdca', 'contrastive'))
def test_contrastive_bound(path):
    data = load(path)
    mean, variance = torch.from_numpy(data['Mean']), torch.from_numpy(data['CoVariance'])
    labels = torch.from_numpy(data['labels'])
    valid = labels != 255
    assert len(data['taus'])
    for i, tau in enumerate(data['taus'].astype(np.float64)):
        case = section(data, f'tau{i}')
        feat = leaf(data['feat'])
        loss = contrastive_bound(as_maps(feat), labels[None, None], mean, variance, tau)
        loss.backward()
        np.testing.assert_allclose(loss.item(), case['loss'], **LOSS)
        # Compare row by row: the gradient of a vector of length zero is 1e10 times larger than others. Where the
        # summands of a row cancel, the remainder is rounding error.
        length = np.linalg.norm(data['feat'], axis=1, keepdims=True)[valid.numpy()]
        summands = (1 / tau + 1 / tau**2) / (np.maximum(length, SMALLEST) * valid.sum().item())
        check_gradient(
            feat.grad[valid], case['grad_feat'][valid.numpy()], f'tau {tau}', axis=1, rounding=1e-6 * summands
        )
        assert not feat.grad[~valid].any() and not case['grad_feat'][~valid.numpy()].any()

        parts = class_logits(
            as_maps(feat.detach())[:, :, 0], F.normalize(mean, eps=SMALLEST), F.normalize(variance, eps=SMALLEST), tau
        )
        z = (parts.linear + parts.quadratic)[0].T[valid]
        assert deviation(z, case['logits']) < TOLERANCE
        ce = F.cross_entropy(z, labels[valid])
        np.testing.assert_allclose(ce, case['ce'], **LOSS)
        # The second mean of the bound. Our loss omits it, since it cancels against a part of the positive logit.
        own = parts.quadratic[0].T[valid].gather(1, labels[valid][:, None])
        np.testing.assert_allclose(own.mean(), case['quad'], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ce + own.mean(), loss.item(), **LOSS)


@pytest.mark.parametrize('path', golden_files('sdca', 'contrastive'))
def test_nothing_labelled_has_no_gradient(path):
    data = load(path)
    feat = leaf(data['feat'])
    loss = contrastive_bound(
        as_maps(feat),
        torch.full((1, 1, len(feat)), 255),
        torch.from_numpy(data['Mean']),
        torch.from_numpy(data['CoVariance']),
        100.0,
    )
    assert loss == 0 and np.isnan(data['all_ignored/loss'])
    (0.5 * feat.sum() + loss).backward()
    np.testing.assert_array_equal(feat.grad, data['all_ignored/grad_feat'])


@pytest.mark.parametrize('path', golden_files('sdca', 'estimator'))
def test_class_statistics(path):
    data = load(path)
    statistics = ClassStatistics(*data['init/Mean'].shape)
    names = dict(mean='Mean', variance='CoVariance', count='Amount')
    statistics.load_state_dict(
        {
            ours: torch.from_numpy(data[f'init/{theirs}']).to(statistics.state_dict()[ours].dtype)
            for ours, theirs in names.items()
        }
    )
    for step in steps(data):
        features, labels = (torch.from_numpy(data[f'step{step}/{name}']) for name in ('features', 'labels'))
        statistics.update(as_maps(features), labels[None, None])
        for ours, theirs in names.items():
            np.testing.assert_allclose(
                getattr(statistics, ours), data[f'step{step}/{theirs}'], rtol=1e-5, atol=1e-6, err_msg=f'{step} {ours}'
            )


@pytest.mark.parametrize('path', golden_files('sdca', 'supervised'))
def test_supervised(path):
    data = load(path)
    logits, labels = leaf(data['logits_lowres']), torch.from_numpy(data['labels'])
    full = upsampled(logits, labels.shape[-2:])
    np.testing.assert_allclose(full.detach(), data['pred_up'], rtol=1e-5, atol=1e-6)
    ce, lovasz = cross_entropy(full, labels), lovasz_softmax(full, labels)
    total = ce + scalar(data, 'lambda_lov') * lovasz
    for loss, name in ((ce, 'ce'), (lovasz, 'lovasz'), (total, 'loss_sup')):
        np.testing.assert_allclose(loss.item(), data[name], **LOSS, err_msg=name)
    for loss, name in ((lovasz, 'grad_lovasz'), (total, 'grad_total')):
        check_gradient(torch.autograd.grad(loss, logits, retain_graph=True)[0], data[name], name)
    few = lovasz_softmax(full.detach(), torch.from_numpy(data['few/labels']))
    np.testing.assert_allclose(few, data['few/lovasz'], **LOSS)


@pytest.mark.parametrize('path', golden_files('sdca', 'supervised'))
def test_nearest_labels(path):
    data = load(path)
    cases = [key.split('/')[0] for key in data if key.startswith('down') and key.endswith('/mask')]
    assert cases
    for case in cases:
        mask = data[f'{case}/mask']
        ours = nearest_labels(torch.from_numpy(data[f'{case}/labels']), mask.shape[-2:])
        assert ours.dtype == torch.int64
        np.testing.assert_array_equal(ours, mask, err_msg=case)


# FADA.


@pytest.mark.parametrize('path', golden_files('fada', 'soft_label_losses'))
def test_soft_labels(path):
    data = load(path)
    logits = torch.from_numpy(data['class_logits']) / 1.8
    np.testing.assert_allclose(soft_labels(logits, clip=1.0), data['soft_unclipped'], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(soft_labels(logits), data['soft'], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('case, domain', [('D_src', SOURCE), ('D_tgt', TARGET), ('G_adv_tgt', SOURCE)])
@pytest.mark.parametrize('path', golden_files('fada', 'soft_label_losses'))
def test_soft_cross_entropy(path, case, domain):
    data = load(path)
    arrays, soft = section(data, case), torch.from_numpy(data['soft'])
    pred = leaf(arrays['pred'])
    loss = soft_cross_entropy(pred, soft, domain) * scalar(arrays, 'weight_f64')
    loss.backward()
    np.testing.assert_allclose(loss.item(), arrays['loss'], rtol=TOLERANCE)
    check_gradient(pred.grad, arrays['grad_pred'])


@pytest.mark.parametrize('path', golden_files('fada', 'soft_label_losses'))
def test_weights_of_pixels_are_factors_of_the_soft_labels(path):
    """Pixel weights, which FADA never uses, are factors of the soft labels, since the loss is linear in the labels."""
    arrays, soft = section(load(path), 'weighted'), torch.from_numpy(load(path)['soft'])
    pred = leaf(arrays['pred'])
    loss = soft_cross_entropy(pred, soft * torch.from_numpy(arrays['pixel_weights'])[:, None], SOURCE)
    loss.backward()
    np.testing.assert_allclose(loss.item(), arrays['loss'], rtol=TOLERANCE)
    check_gradient(pred.grad, arrays['grad_pred'])


# Networks.


def check_network(module: torch.nn.Module, forward, data: dict, up_size, their_name) -> None:
    """Compare the output at both sizes and, if they are stored, the gradients of a weighted sum of the larger one."""
    x = leaf(data['input'])
    out = forward(x)
    up = upsampled(out, up_size)
    np.testing.assert_allclose(out.detach(), data['out'], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(up.detach(), data['out_up'], rtol=1e-5, atol=1e-5)
    if 'grad_input' not in data:
        return
    (up * torch.linspace(-1, 1, up.numel()).view_as(up)).sum().backward()
    check_gradient(x.grad, data['grad_input'], 'input')
    names = {their_name(name): parameter for name, parameter in module.named_parameters()}
    stored = section(data, 'grad')
    assert set(names) == set(stored)
    for name, parameter in names.items():
        check_gradient(parameter.grad, stored[name], name)


@pytest.mark.parametrize('path', [*golden_files('sdca', 'aspp'), *golden_files('fada', 'aspp')])
def test_classifier(path):
    data = load(path)
    first = 'conv2d_list.0.weight'
    prefixes = [key[: -len(first)] for key in data if key.endswith(first) and 'grad/' not in key]
    assert prefixes
    for prefix in prefixes:
        arrays = section(data, prefix) if prefix else data
        weights = {
            key.replace('conv2d_list', 'branches'): torch.from_numpy(value)
            for key, value in arrays.items()
            if key.startswith('conv2d_list')
        }
        num_classes, channels = arrays[first].shape[:2]
        head = DeepLabV2Head(channels, num_classes, in_index=0)
        head.load_state_dict(weights)
        check_network(
            head,
            lambda x, head=head: head((x,)),
            arrays,
            data['up_size'],
            lambda name: name.replace('branches', 'conv2d_list'),
        )


DISCRIMINATOR = {'convs.0': 'D.0', 'convs.1': 'D.2', 'source_head': 'cls1', 'target_head': 'cls2'}


def their_name(name: str) -> str:
    layer, kind = name.rsplit('.', 1)
    return f'{DISCRIMINATOR[layer]}.{kind}'


@pytest.mark.parametrize('path', golden_files('fada', 'discriminator'))
def test_discriminator(path):
    data = load(path)
    widths = [len(data[f'{layer}.bias']) for layer in ('D.0', 'D.2')]
    critic = PixelDiscriminatorHead(data['D.0.weight'].shape[1], len(data['cls1.bias']), channels=widths)
    critic.load_state_dict({name: torch.from_numpy(data[their_name(name)]) for name in critic.state_dict()})
    check_network(critic, critic, data, data['up_size'], their_name)


# Learning rates.

HORIZONS = dict(seg_adv=62500, disc_adv=62500, src_and_distill=31250)
"""Numbers of iterations that the shipped file of FADA does not contain."""


def base_and_horizon(arrays: dict) -> tuple[float, int]:
    """Return the first learning rate and the number of iterations of a schedule."""
    if 'base_max_f64' in arrays:
        base, horizon = arrays['base_max_f64'].tolist()
        return base, int(horizon)
    # lr^(1/0.9) is linear in the iteration. Two points determine the line, the others check it.
    (first, last), (above, below) = (value[[0, -1]] for value in (arrays['iters'], arrays['lr_f64'] ** (1 / 0.9)))
    horizon = round((above * last - below * first) / (above - below))
    return (above * horizon / (horizon - first)) ** 0.9, horizon


@pytest.mark.parametrize('path', golden_files('fada', 'lr', SHIPPED_DIR))
def test_horizons(path):
    data = load(path)
    assert {tag: base_and_horizon(section(data, tag))[1] for tag in HORIZONS} == HORIZONS


@pytest.mark.parametrize('path, tag', golden_cases([*golden_files('sdca', 'lr'), *golden_files('fada', 'lr')], 'iters'))
def test_learning_rates(path, tag):
    arrays = section(load(path), tag)
    base, horizon = base_and_horizon(arrays)
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(()))], lr=base * factor) for factor in (1, 10)]
    optimizer = torch.optim.SGD(groups[: 1 + ('lr_classifier_f64' in arrays)], lr=base)
    # The `end` of mmengine is the first step after the schedule: one more than the number of iterations in the papers.
    scheduler = PolyLR(optimizer, power=0.9, begin=0, end=horizon + 1, by_epoch=False)
    optimizer.step()  # mmengine warns if a scheduler steps before the optimizer
    runner = SimpleNamespace(param_schedulers=[scheduler], optim_wrapper=SimpleNamespace(stepped=lambda: True))
    hook, wanted = (
        StepSchedulerHook(),
        dict(
            zip(
                arrays['iters'].tolist(),
                zip(*(arrays[key] for key in ('lr_f64', 'lr_classifier_f64') if key in arrays), strict=True),
                strict=False,
            )
        ),
    )
    last, found = max(wanted), {}
    assert last <= horizon
    for i in range(last + 1):
        if i in wanted:
            found[i] = [group['lr'] for group in optimizer.param_groups]
        hook.after_train_iter(runner, i)
    assert list(found) == sorted(wanted)
    for i, rates in found.items():
        np.testing.assert_allclose(rates, wanted[i], rtol=1e-8, atol=1e-15, err_msg=str(i))
