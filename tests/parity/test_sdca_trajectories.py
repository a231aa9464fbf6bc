"""SDCA, its source training and its self-training: stored runs of the original, step by step."""

import numpy as np
import pytest
from golden import golden_files, load, section
from mmseg.registry import MODELS
from standins_contrast import (
    AsItIs,
    deviation,
    heads_at_ten_times,
    length_of_weights,
    load_original,
    our_name,
    segmentor,
    set_rates,
    side,
)

from mmuda.engine import PerModuleOptimWrapperConstructor

TOLERANCE = 1e-5


def build(data: dict, **kwargs):
    init = section(data, 'init')
    model = MODELS.build(dict(segmentor=segmentor(init), **kwargs))
    load_original(model.segmentor, init)
    model.data_preprocessor = AsItIs()
    return model.train()


def optimizers(model, lr: float, momentum: float, weight_decay: float):
    return PerModuleOptimWrapperConstructor(
        dict(
            segmentor=dict(
                optimizer=dict(type='SGD', lr=lr, momentum=momentum, weight_decay=weight_decay),
                paramwise_cfg=heads_at_ten_times(),
            )
        )
    )(model)


def check_final(model, data: dict) -> None:
    state = model.segmentor.state_dict()
    final = {our_name(key): value for key, value in section(data, 'final').items() if key.startswith(('fea.', 'cls.'))}
    assert set(final) == set(state)
    for key, stored in final.items():
        assert deviation(state[key], stored) < TOLERANCE, key


def check_statistics(model, data: dict, prefix: str) -> None:
    levels = dict(feat=model.feature_statistics, out=model.output_statistics)
    for name, statistics in ((name, level) for name, level in levels.items() if level is not None):
        for key, value in dict(Mean=statistics.mean, CoVariance=statistics.variance, Amount=statistics.count).items():
            assert deviation(value, data[f'{prefix}/{name}.{key}']) < TOLERANCE, (name, key)


def check_supervised(logs: dict, weight: float, data: dict, loss: str, i: int) -> None:
    """Compare the supervised losses. With a weight of zero, Lovasz-softmax is not computed and need not be stored."""
    np.testing.assert_allclose(
        logs['loss_seg_main'] + weight * logs.get('loss_lov_main', 0.0), data[loss][i], rtol=TOLERANCE
    )
    assert ('loss_lov_main' in logs) == (weight > 0)
    if weight:
        np.testing.assert_allclose(logs['loss_lov_main'], data['loss_lov'][i], rtol=TOLERANCE)


@pytest.mark.parametrize('path', golden_files('sdca', 'trajectory_sdca'))
def test_sdca(path):
    data = load(path)
    lr, power, momentum, decay, horizon, lov, feat, out, tau, delta, multi_level = data['hyper_f64'].tolist()
    model = build(
        data,
        type='SDCA',
        tau=tau,
        delta=delta,
        multi_level=bool(multi_level),
        loss_weights=dict(lov_main=lov, feat=feat, out=out),
    )
    warm = [key for key in data if key.startswith('warm/image')]
    model.eval()
    for i in range(len(warm)):
        model.gather(side(data[f'warm/image{i}'], data[f'warm/label{i}']))
    if warm:
        check_statistics(model, data, 'warm')
    wrappers = optimizers(model.train(), lr, momentum, decay)
    masks = {}
    contrast = model.contrastive_losses
    model.contrastive_losses = lambda outputs, labels, name: (
        masks.update({name: labels}) or contrast(outputs, labels, name)
    )
    for i in range(len(data['loss_sup'])):
        set_rates(wrappers['segmentor'].optimizer, (1 - i / horizon) ** power)
        logs = model.train_step(
            dict(source=side(data[f'src_image{i}'], data[f'src_label{i}']), target=side(data[f'tgt_image{i}'])),
            wrappers,
        )
        np.testing.assert_array_equal(masks['source'].flatten().numpy(), data[f'src_mask{i}'])
        # One or two pixels can tie with the threshold.
        assert (masks['target'].flatten().numpy() != data[f'tgt_mask{i}']).sum() <= 2
        check_supervised(logs, lov, data, 'loss_sup', i)
        for name in ('feat', 'out') if multi_level else ('feat',):
            for short, domain in (('src', 'source'), ('tgt', 'target')):
                stored = data[f'loss_{name}_{short}'][i]
                # The original's mean over no pixel is NaN without gradient; ours is zero.
                np.testing.assert_allclose(
                    logs[f'loss_{name}_{domain}'],
                    np.nan_to_num(stored, nan=0.0),
                    rtol=TOLERANCE,
                    err_msg=f'{name} {domain}',
                )
        np.testing.assert_allclose(
            length_of_weights(model.segmentor), data['weights_l2_after_step_f64'][i], rtol=TOLERANCE
        )
    check_final(model, data)
    check_statistics(model, data, 'final')


@pytest.mark.parametrize('path', golden_files('sdca', 'trajectory_src'))
def test_source_training(path):
    data = load(path)
    lr, power, momentum, decay, horizon, lov = data['hyper_f64'].tolist()
    model = build(data, type='SourceOnly', loss_weights=dict(lov_main=lov))
    wrappers = optimizers(model, lr, momentum, decay)
    for i in range(len(data['loss_seg'])):
        set_rates(wrappers['segmentor'].optimizer, (1 - i / horizon) ** power)
        image = side(data[f'image{i}'], data[f'label{i}'])
        logs = model.train_step(dict(source=image, target=side(data[f'image{i}'])), wrappers)
        check_supervised(logs, lov, data, 'loss_seg', i)
    check_final(model, data)


@pytest.mark.parametrize(
    'path', [*golden_files('sdca', 'trajectory_ssl'), *golden_files('fada', 'trajectory_self_distill')]
)
def test_training_on_pseudo_labels_alone(path):
    data = load(path)
    lr, power, momentum, decay, horizon = data['hyper_f64'].tolist()[:5]
    model = build(data, type='SelfTraining')
    wrappers = optimizers(model, lr, momentum, decay)
    for i, stored in enumerate(data['loss_seg']):
        set_rates(wrappers['segmentor'].optimizer, (1 - i / horizon) ** power)
        logs = model.train_step(dict(target=side(data[f'image{i}'], data[f'label{i}'])), wrappers)
        np.testing.assert_allclose(logs['loss_seg_main'], stored, rtol=TOLERANCE)
    check_final(model, data)
