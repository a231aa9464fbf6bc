"""Training iterations of the originals, reproduced by our adaptors, optimizers and schedulers."""

import numpy as np
import pytest
import torch
from golden import golden_files, load, scalar, section, steps
from mmengine.optim import PolyLR
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from standins import discriminator_names, load_discriminator

import mmuda  # noqa: F401
from mmuda.engine import PerModuleOptimWrapperConstructor

LOSS, WEIGHT, GRADIENT = 2e-6, 2e-5, 1e-5  # absolute tolerances that the files suggest

VERSIONS = dict(legacy='0.4', modern='1.9')
"""Versions of PyTorch whose SGD differs if a weight is listed several times."""

# For each family: original discriminators by our children, original logs by ours.
NAMES = dict(
    adaptsegnet=dict(
        nets=dict(aux_discriminator='D1', discriminator='D2'),
        losses=dict(
            loss_seg_aux='loss_seg1',
            loss_seg_main='loss_seg2',
            loss_adv_aux='loss_adv_target1',
            loss_adv_main='loss_adv_target2',
        ),
        discriminator=dict(aux='loss_D1', main='loss_D2'),
    ),
    advent=dict(
        nets=dict(aux_discriminator='D_aux', discriminator='D_main'),
        losses=dict(
            loss_seg_aux='loss_seg_src_aux',
            loss_seg_main='loss_seg_src_main',
            loss_adv_aux='loss_adv_trg_aux',
            loss_adv_main='loss_adv_trg_main',
            loss_ent_aux='loss_ent_aux',
            loss_ent_main='loss_ent_main',
        ),
        discriminator=dict(aux='loss_d_aux', main='loss_d_main'),
    ),
)
# The second stage: easy images with pseudo labels are the source, hard images the target.
NAMES['intrada'] = NAMES['advent']


def build(family: str, data: dict, trunk: str):
    """Build the adaptor of a file with its initial weights."""
    init = section(data, 'init')
    two_levels = any(key.startswith('G/layer5') for key in init)
    num_classes = scalar(data, 'hp/num_classes')
    summed = (0, 1) if family == 'adaptsegnet' else None
    cfg = dict(
        segmentor=dict(
            type='StandIn',
            trunk=trunk,
            shapes={key: value.shape for key, value in section(init, 'G').items()},
            num_classes=num_classes,
            two_levels=two_levels,
            summed=summed,
        ),
        data_preprocessor=dict(type='DomainPairPreprocessor'),
    )
    minent = 'hp/lambda_ent_main' in data
    if minent:
        cfg.update(
            type='MinEnt',
            loss_weights=dict(
                seg_main=scalar(data, 'hp/lambda_seg_main'),
                seg_aux=scalar(data, 'hp/lambda_seg_aux'),
                ent_main=scalar(data, 'hp/lambda_ent_main'),
                ent_aux=scalar(data, 'hp/lambda_ent_aux'),
            ),
        )
    else:
        critic = dict(type='FCDiscriminatorHead', in_channels=num_classes, base_channels=scalar(data, 'hp/ndf'))
        cfg.update(
            type='AdaptSegNet' if family == 'adaptsegnet' else 'ADVENT',
            discriminator=critic,
            aux_discriminator=critic if two_levels else None,
            gan='least_squares' if scalar(data, 'hp/gan') == 'LS' else 'vanilla',
            loss_weights=dict(
                seg_main=scalar(data, 'hp/lambda_seg_main', 1.0),
                seg_aux=scalar(data, 'hp/lambda_seg_aux', scalar(data, 'hp/lambda_seg')),
                adv_main=scalar(data, 'hp/lambda_adv_main', scalar(data, 'hp/lambda_adv2')),
                adv_aux=scalar(data, 'hp/lambda_adv_aux', scalar(data, 'hp/lambda_adv1')),
            ),
        )
    model = MODELS.build(cfg)
    model.segmentor.load_original(section(init, 'G'))
    nets = (
        {}
        if minent
        else {child: name for child, name in NAMES[family]['nets'].items() if getattr(model, child) is not None}
    )
    for child, name in nets.items():
        load_discriminator(getattr(model, child), section(init, name))
    return model, nets


def optimize(model, nets: dict, data: dict, semantics: str):
    """Build the optimizers and schedulers of a file."""
    sgd = dict(
        lr=scalar(data, 'hp/lr'), momentum=scalar(data, 'hp/momentum'), weight_decay=scalar(data, 'hp/weight_decay')
    )
    heads = dict(decode_head=dict(lr_mult=10.0), auxiliary_head=dict(lr_mult=10.0))
    segmentor = dict(optimizer=dict(type='SGD', **sgd), paramwise_cfg=dict(custom_keys=heads))
    if semantics in VERSIONS:
        segmentor.update(optimizer=dict(type='LegacySGD', version=VERSIONS[semantics], **sgd), repeats='backbone')
    adam = dict(type='Adam', lr=scalar(data, 'hp/lr_D'), betas=(0.9, 0.99))
    wrappers = PerModuleOptimWrapperConstructor(
        dict(
            accumulative_counts=scalar(data, 'hp/iter_size', 1),
            segmentor=segmentor,
            **{child: dict(optimizer=adam) for child in nets},
        )
    )(model)
    total = scalar(data, 'hp/num_steps', scalar(data, 'hp/max_iters'))
    schedulers = [
        PolyLR(wrapper, power=scalar(data, 'hp/power'), end=total + 1, begin=0, by_epoch=False)
        for wrapper in wrappers.values()
    ]
    return wrappers, schedulers


def batch(data: dict, index: int) -> dict:
    def side(images, labels=None):
        samples = []
        for i in range(len(images)):
            sample = SegDataSample()
            if labels is not None:
                sample.gt_sem_seg = PixelData(data=torch.from_numpy(labels[i].astype(np.int64))[None])
            samples.append(sample)
        return dict(inputs=[torch.from_numpy(image.astype(np.float32)) for image in images], data_samples=samples)

    return dict(source=side(data['src_img'][index], data['src_label'][index]), target=side(data['trg_img'][index]))


def run(family: str, data: dict, trunk: str, semantics: str = 'dedup'):
    """Train with the settings of a file; return the model and all values that the file stores."""
    model, nets = build(family, data, trunk)
    wrappers, schedulers = optimize(model, nets, data, semantics)
    gathered = scalar(data, 'hp/iter_size', 1)
    logs, grads, rates = [], None, []
    model.train()
    for step in steps(data, 'hp/steps'):
        rates.append({name: wrapper.optimizer.param_groups for name, wrapper in wrappers.items()})
        rates[-1] = {name: [group['lr'] for group in groups] for name, groups in rates[-1].items()}
        losses = {}
        for part in range(gathered):
            if step == 0 and part == gathered - 1:
                grads = spy_on_gradients(wrappers)
            out = model.train_step(batch(data, step * gathered + part), wrappers)
            for name, value in out.items():
                losses[name] = losses.get(name, 0.0) + value.item() / gathered
        for scheduler in schedulers:
            scheduler.step()
        logs.append(losses)
    return model, nets, logs, grads, rates


def spy_on_gradients(wrappers) -> dict:
    """Return a dict that the first step of every optimizer fills with its gradients."""
    seen = {}
    for wrapper in wrappers.values():

        def step(wrapper=wrapper, original=wrapper.step, **kwargs):
            for group in wrapper.optimizer.param_groups:
                for p in group['params']:
                    if p.grad is not None:
                        seen.setdefault(id(p), p.grad.clone())
            wrapper.step = original
            return original(**kwargs)

        wrapper.step = step
    return seen


def compare_losses(family: str, data: dict, logs: list, suffix: str = '') -> None:
    names = NAMES[family]
    compared = 0
    for ours, theirs in names['losses'].items():
        if theirs + suffix not in data:
            continue
        stored = data[theirs + suffix]
        computed = np.array([log.get(ours, 0.0) for log in logs])
        np.testing.assert_allclose(computed, stored, rtol=0, atol=LOSS, err_msg=ours)
        compared += 1
    for level, theirs in names['discriminator'].items():
        if theirs + suffix not in data:
            continue
        # ADVENT (and IntraDA, a copy) logs the target loss alone, which overwrites the source loss.
        sides = ('source', 'target') if family == 'adaptsegnet' else ('target',)
        computed = np.array([sum(log.get(f'loss_dis_{level}_{side}', 0.0) for side in sides) for log in logs])
        np.testing.assert_allclose(computed, data[theirs + suffix], rtol=0, atol=LOSS, err_msg=theirs)
        compared += 1
    assert compared >= 4


def compare_rates(data: dict, rates: list, nets: dict) -> None:
    # The backbone has the lower rate and the heads the higher one, without other rates.
    segmentor = [sorted(set(rate['segmentor'])) for rate in rates]
    assert all(len(pair) == 2 for pair in segmentor), segmentor
    np.testing.assert_allclose(segmentor, data['lr_G'], rtol=1e-9)
    for child, name in nets.items():
        assert all(len(set(rate[child])) == 1 for rate in rates), child
        np.testing.assert_allclose([rate[child][0] for rate in rates], data[f'lr_{name}'].reshape(-1), rtol=1e-9)


@pytest.mark.parametrize(
    'path',
    [
        *golden_files('adaptsegnet', 'traj_multi'),
        *golden_files('adaptsegnet', 'traj_single'),
        *golden_files('advent', 'traj_advent'),
        *golden_files('advent', 'traj_minent'),
        *golden_files('intrada', 'traj'),
    ],
)
def test_trajectory(path):
    data, family = load(path), path.parent.name
    model, nets, logs, grads, rates = run(family, data, 'T')
    compare_losses(family, data, logs)
    compare_rates(data, rates, nets)

    ours = model.segmentor.to_original()
    final = section(data, 'final/G')
    assert set(final) == set(ours)
    for key, stored in final.items():
        tolerance = dict(rtol=1e-5, atol=1e-6) if key.endswith('running_var') else dict(rtol=0, atol=WEIGHT)
        np.testing.assert_allclose(ours[key].detach().numpy(), stored, err_msg=key, **tolerance)
    first = section(data, 'grad0/G')
    assert set(first) == {key for key, value in ours.items() if id(value) in grads}
    for key, stored in first.items():
        np.testing.assert_allclose(grads[id(ours[key])].numpy(), stored, rtol=0, atol=GRADIENT, err_msg=key)
    # Branches that are not summed must keep their initial values bit by bit.
    for key, stored in section(data, 'init/G').items():
        if family == 'adaptsegnet' and ('conv2d_list.2' in key or 'conv2d_list.3' in key):
            assert np.array_equal(ours[key].detach().numpy(), stored), key

    for child, name in nets.items():
        parameters = dict(getattr(model, child).named_parameters())
        final, first = section(data, f'final/{name}'), section(data, f'grad0/{name}')
        names = discriminator_names(final)
        assert set(names.values()) == set(parameters) and set(first) == set(final)
        for key, stored in final.items():
            np.testing.assert_allclose(
                parameters[names[key]].detach().numpy(), stored, rtol=0, atol=WEIGHT, err_msg=f'{name}/{key}'
            )
        for key, stored in first.items():
            np.testing.assert_allclose(
                grads[id(parameters[names[key]])].numpy(), stored, rtol=0, atol=GRADIENT, err_msg=f'{name}/{key}'
            )


@pytest.mark.parametrize('semantics', [*VERSIONS, 'dedup'])
@pytest.mark.parametrize(
    'path', [*golden_files('adaptsegnet', 'traj_bottleneck'), *golden_files('advent', 'traj_bottleneck')]
)
def test_duplicate_listing(path, semantics):
    data, family = load(path), path.parent.name
    model, nets, logs, _, rates = run(family, data, 'M', semantics)
    compare_losses(family, data, logs, suffix=f'_{semantics}')
    compare_rates(data, rates, nets)
    ours = model.segmentor.to_original()
    flat = data[f'final_{semantics}/flat']
    offset = 0
    for name, size in zip(data['state_names'].tolist(), data['state_sizes'].tolist(), strict=True):
        stored = flat[offset : offset + size]
        offset += size
        tolerance = dict(rtol=1e-5, atol=1e-6) if name.endswith('running_var') else dict(rtol=0, atol=WEIGHT)
        np.testing.assert_allclose(ours[name].detach().numpy().ravel(), stored, err_msg=name, **tolerance)
    assert offset == flat.size
