"""The adversarial stage of FADA: a stored run of the original, step by step."""

import copy

import numpy as np
import pytest
import torch
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
from mmuda.models.losses import soft_labels

TOLERANCE = 1e-5
NAMES = {'D.0': 'convs.0', 'D.2': 'convs.1', 'cls1': 'source_head', 'cls2': 'target_head'}


def of_discriminator(key: str) -> str:
    """Return our name for a key of the files."""
    layer, kind = key.rsplit('.', 1)
    return f'{NAMES[layer]}.{kind}'


@pytest.mark.parametrize('path', golden_files('fada', 'trajectory_fada'))
def test_fada(path):
    data = load(path)
    init = section(data, 'init')
    lr, lr_d, power, momentum, decay, horizon = data['hyper_f64'].tolist()
    num_classes, channels = init['cls.conv2d_list.0.weight'].shape[:2]
    model = MODELS.build(
        dict(
            type='FADA',
            segmentor=segmentor(init),
            discriminator=dict(
                type='PixelDiscriminatorHead',
                in_channels=channels,
                num_classes=num_classes,
                channels=(len(init['disc.D.0.bias']), len(init['disc.D.2.bias'])),
            ),
        )
    )
    load_original(model.segmentor, init)
    model.discriminator.load_state_dict(
        {
            of_discriminator(key[len('disc.') :]): torch.from_numpy(value)
            for key, value in init.items()
            if key.startswith('disc.')
        }
    )
    model.data_preprocessor = AsItIs()
    wrappers = PerModuleOptimWrapperConstructor(
        dict(
            segmentor=dict(
                optimizer=dict(type='SGD', lr=lr, momentum=momentum, weight_decay=decay),
                paramwise_cfg=heads_at_ten_times(),
            ),
            discriminator=dict(optimizer=dict(type='Adam', lr=lr_d, betas=(0.9, 0.99))),
        )
    )(model.train())

    check_soft_labels(copy.deepcopy(model), data)  # a copy, since the pass changes the statistics of batch-norm
    for i, stored in enumerate(data['loss_seg']):
        for wrapper in wrappers.values():
            set_rates(wrapper.optimizer, (1 - i / horizon) ** power)
        logs = model.train_step(
            dict(source=side(data[f'src_image{i}'], data[f'src_label{i}']), target=side(data[f'tgt_image{i}'])),
            wrappers,
        )
        np.testing.assert_allclose(logs['loss_seg_main'], stored, rtol=TOLERANCE)
        np.testing.assert_allclose(logs['loss_adv'] * 0.001, data['loss_adv_tgt'][i], rtol=TOLERANCE)
        np.testing.assert_allclose(logs['loss_dis_source'], data['loss_D_src'][i], rtol=TOLERANCE)
        np.testing.assert_allclose(logs['loss_dis_target'], data['loss_D_tgt'][i], rtol=TOLERANCE)
        norms = [
            length_of_weights(module)
            for module in (model.segmentor.backbone, model.segmentor.decode_head, model.discriminator)
        ]
        np.testing.assert_allclose(norms, data['weights_l2_after_step_f64'][i], rtol=TOLERANCE)

    state = {
        **{f'segmentor.{key}': value for key, value in model.segmentor.state_dict().items()},
        **model.discriminator.state_dict(),
    }
    for key, stored in section(data, 'final').items():
        ours = of_discriminator(key[len('disc.') :]) if key.startswith('disc.') else f'segmentor.{our_name(key)}'
        assert deviation(state[ours], stored) < TOLERANCE, key


def check_soft_labels(model, data: dict) -> None:
    """Compare the soft labels of the first step, if the file has them."""
    with torch.no_grad():
        for name, image in (('D_src', 'src_image0'), ('D_tgt', 'tgt_image0'), ('adv_tgt', 'tgt_image0')):
            stored = data.get(f'step0/soft_target_{name}_every4')
            if stored is None:
                continue
            outputs = model.apply_temperature(model.segment(side(data[image])))
            soft = soft_labels(outputs.upsample('main'), model.clip)[:, :, ::4, ::4].numpy()
            zeros = np.zeros_like(soft)
            wanted = np.concatenate([zeros, soft] if name == 'D_tgt' else [soft, zeros], axis=1)
            np.testing.assert_allclose(wanted, stored, atol=1e-6, err_msg=name)
