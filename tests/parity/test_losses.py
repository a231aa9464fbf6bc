"""Losses, classifiers and discriminators of the originals, forward and backward."""

import numpy as np
import pytest
import torch
from golden import SHIPPED_DIR, golden_files, load, section
from standins import load_discriminator

from mmuda.models.decode_heads import DeepLabV2Head
from mmuda.models.discriminators import FCDiscriminatorHead
from mmuda.models.losses import cross_entropy, entropy_loss, least_squares_gan_loss, self_information, vanilla_gan_loss

CLOSE = dict(rtol=1e-5, atol=1e-6)


def leaf(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).requires_grad_()


@pytest.mark.parametrize(
    'path', [*golden_files('adaptsegnet', 'cross_entropy'), *golden_files('advent', 'cross_entropy')]
)
def test_cross_entropy(path):
    data = load(path)
    cases = sorted({key.split('/')[0] for key in data if key.endswith('/loss')})
    assert cases
    for case in cases:
        arrays = section(data, case)
        logits = leaf(arrays['logits'])
        weight = torch.from_numpy(arrays['weight']) if 'weight' in arrays else None
        loss = cross_entropy(logits, torch.from_numpy(arrays['label']), weight=weight)
        loss.backward()
        if not np.isfinite(arrays['loss']):
            # Without labelled pixels, the original gives NaN and our loss is zero.
            assert loss.item() == 0 and logits.grad.abs().max() == 0
            continue
        np.testing.assert_allclose(loss.item(), arrays['loss'], **CLOSE, err_msg=case)
        np.testing.assert_allclose(logits.grad.numpy(), arrays['grad_logits'], rtol=1e-5, atol=1e-8, err_msg=case)


@pytest.mark.parametrize('path', golden_files('advent', 'bce_loss'))
def test_vanilla_gan_loss(path):
    data = load(path)
    cases = sorted({key.split('/')[0] for key in data if key.endswith('/logits')})
    assert cases
    for case in cases:
        for domain in (0, 1):
            scores = leaf(data[f'{case}/logits'])
            loss = vanilla_gan_loss(scores, float(domain))
            loss.backward()
            np.testing.assert_allclose(loss.item(), data[f'{case}/loss_label{domain}'], **CLOSE)
            np.testing.assert_allclose(scores.grad.numpy(), data[f'{case}/grad_label{domain}'], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize('path', golden_files('advent', 'entropy'))
def test_entropy(path):
    data = load(path)
    cases = sorted({key.split('/')[0] for key in data if key.endswith('/entropy_loss')})
    assert cases
    for case in cases:
        arrays = section(data, case)
        if 'prob' in arrays:
            # Log-probabilities are logits of the same probabilities; -200 underflows to the probability zero.
            probs = torch.from_numpy(arrays['prob'])
            logits = probs.log().clamp(min=-200.0).requires_grad_()
        else:
            logits = leaf(arrays['logits'])
        information = self_information(logits)
        loss = entropy_loss(logits)
        np.testing.assert_allclose(information.detach().numpy(), arrays['prob_2_entropy'], **CLOSE, err_msg=case)
        np.testing.assert_allclose(loss.item(), arrays['entropy_loss'], **CLOSE, err_msg=case)
        if 'weight' in arrays:
            (weighted,) = torch.autograd.grad(
                (torch.from_numpy(arrays['weight']) * information).sum(), logits, retain_graph=True
            )
            np.testing.assert_allclose(weighted.numpy(), arrays['grad_logits_of_weighted_sum'], rtol=1e-4, atol=1e-6)
            (grad,) = torch.autograd.grad(loss, logits)
            np.testing.assert_allclose(grad.numpy(), arrays['grad_logits'], rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize('path', [*golden_files('adaptsegnet', 'classifier'), *golden_files('advent', 'classifier')])
def test_classifier(path):
    data = load(path)
    weights = section(data, 'weight')
    used = section(data, 'has_grad')
    summed = [i for i in range(len(weights) // 2) if used[next(k for k in used if f'.{i}.weight' in k)]]
    prefix = next(iter(weights)).split('conv2d_list')[0]
    first = weights[f'{prefix}conv2d_list.0.weight']
    head = DeepLabV2Head(first.shape[1], first.shape[0], in_index=0, summed=summed)
    head.load_state_dict(
        {
            key[len(prefix) :].replace('conv2d_list', 'branches'): torch.from_numpy(value)
            for key, value in weights.items()
        }
    )
    x = leaf(data['x'])
    out = head((x,))
    out.backward(torch.from_numpy(data['grad_out']))
    np.testing.assert_allclose(out.detach().numpy(), data['out'], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(x.grad.numpy(), data['grad_x'], rtol=1e-5, atol=1e-5)
    for name, parameter in head.named_parameters():
        key = prefix + name.replace('branches', 'conv2d_list')
        assert (parameter.grad is not None) == bool(used[key]), name


def build_discriminator(weights: dict) -> FCDiscriminatorHead:
    first = next(value for value in weights.values() if value.ndim == 4)
    critic = FCDiscriminatorHead(first.shape[1], base_channels=first.shape[0])
    load_discriminator(critic, weights)
    return critic


@pytest.mark.parametrize('path', golden_files('adaptsegnet', 'discriminator'))
def test_discriminator(path):
    data = load(path)
    critic = build_discriminator(section(data, 'weight'))
    cases, gradients = [key[len('out') :] for key in data if key.startswith('out')], 0
    assert cases
    for case in cases:
        for gan, loss_fn in (('bce', vanilla_gan_loss), ('mse', least_squares_gan_loss)):
            for domain in (0, 1):
                critic.zero_grad()
                x = leaf(data[f'in{case}'])
                scores = critic(x)
                np.testing.assert_allclose(scores.detach().numpy(), data[f'out{case}'], rtol=1e-5, atol=1e-6)
                loss = loss_fn(scores, float(domain))
                loss.backward()
                name = f'{gan}_label{domain}'
                np.testing.assert_allclose(loss.item(), data[f'{name}_loss{case}'], **CLOSE)
                # A file need not have every gradient, but must have some.
                if f'{name}_grad_in{case}' in data:
                    np.testing.assert_allclose(x.grad.numpy(), data[f'{name}_grad_in{case}'], rtol=1e-4, atol=1e-8)
                    gradients += 1
                key = f'{name}_grad_classifier_weight{case}'
                if key in data:
                    np.testing.assert_allclose(critic.convs[-1].weight.grad.numpy(), data[key], rtol=1e-4, atol=1e-7)
                    gradients += 1
    assert gradients


@pytest.mark.parametrize('path', golden_files('adaptsegnet', 'discriminator', SHIPPED_DIR))
def test_the_file_has_every_gradient(path):
    """The shipped file has every gradient, so that the test above skips none."""
    data = load(path)
    cases = [key[len('out') :] for key in data if key.startswith('out')]
    wanted = {f'{gan}_label{domain}_grad_in{case}' for gan in ('bce', 'mse') for domain in (0, 1) for case in cases}
    assert wanted and wanted <= set(data)


@pytest.mark.parametrize('path', golden_files('advent', 'discriminator_entropy'))
def test_discriminator_on_self_information(path):
    data = load(path)
    critic = build_discriminator(section(data, 'weight'))
    for domain in (0, 1):
        critic.zero_grad()
        logits = leaf(data['logits'])
        scores = critic(self_information(logits))
        np.testing.assert_allclose(scores.detach().numpy(), data['out'], rtol=1e-5, atol=1e-6)
        loss = vanilla_gan_loss(scores, float(domain))
        loss.backward()
        np.testing.assert_allclose(loss.item(), data[f'loss_label{domain}'], **CLOSE)
        np.testing.assert_allclose(logits.grad.numpy(), data[f'grad_logits_label{domain}'], rtol=1e-4, atol=1e-9)
        np.testing.assert_allclose(
            critic.convs[0].weight.grad.numpy(), data[f'grad_first_conv_label{domain}'], rtol=1e-4, atol=1e-8
        )
