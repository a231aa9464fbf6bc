"""Both phases of SIM: stored runs of the original, step by step."""

import numpy as np
import pytest
import torch
from golden import golden_files, load
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from standins import load_discriminator
from standins_contrast import AsItIs, heads_at_ten_times, set_rates, side
from torch import Tensor, nn

from mmuda.engine import PerModuleOptimWrapperConstructor

LOSS = 1e-5


@MODELS.register_module()
class NormedStrided(BaseModule):
    """The backbone of SIM's stand-in network, output stride 2."""

    def __init__(self, inputs: int, width: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width).requires_grad_(False)
        self.conv2 = nn.Conv2d(width, channels, 3, 2, 1)

    def forward(self, x: Tensor) -> tuple:
        return (self.conv2(self.bn1(self.conv1(x)).relu()).relu(),)


def part(data: dict, prefix: str) -> dict:
    return {key[len(prefix) :]: value for key, value in data.items() if key.startswith(prefix)}


def our_name(key: str) -> str:
    return key.replace('layer6.conv2d_list', 'decode_head.branches') if key.startswith('layer6') else f'backbone.{key}'


@pytest.mark.parametrize('path', [*golden_files('sim', 'trajectory_phase1'), *golden_files('sim', 'trajectory_phase2')])
def test_trajectory(path):
    data = load(path)
    cfg = {key: value.item() for key, value in part(data, 'cfg.').items()}
    init, critic = part(data, 'init.'), part(data, 'D_init.')
    num_classes, channels = init['layer6.conv2d_list.0.weight'].shape[:2]
    width, inputs = init['conv1.weight'].shape[:2]
    model = MODELS.build(
        dict(
            type='SIM',
            prototypes=cfg['num_prototype'],
            count_empty=True,
            segmentor=dict(
                type='AdaptiveEncoderDecoder',
                backbone=dict(type='NormedStrided', inputs=inputs, width=width, channels=channels),
                decode_head=dict(
                    type='DeepLabV2Head', in_channels=channels, in_index=0, num_classes=num_classes, summed=(0, 1)
                ),
                test_cfg=dict(mode='whole'),
            ),
            discriminator=dict(
                type='FCDiscriminatorHead', in_channels=num_classes, base_channels=len(critic['conv1.bias'])
            ),
            loss_weights=dict(adv_main=cfg['lambda_adv'], stuff=cfg['lambda_stuff'], ins=cfg['lambda_ins']),
        )
    )
    missing, unexpected = model.segmentor.load_state_dict(
        {our_name(key): torch.from_numpy(value) for key, value in init.items()}, strict=False
    )
    assert not unexpected and all(key.endswith('num_batches_tracked') for key in missing)
    load_discriminator(model.discriminator, critic)
    model.data_preprocessor = AsItIs()
    wrappers = PerModuleOptimWrapperConstructor(
        dict(
            segmentor=dict(
                optimizer=dict(type='SGD', lr=cfg['lr'], momentum=cfg['momentum'], weight_decay=cfg['weight_decay']),
                paramwise_cfg=heads_at_ten_times(),
            ),
            discriminator=dict(optimizer=dict(type='Adam', lr=cfg['lr_D'], betas=(0.9, 0.99))),
        )
    )(model.train())

    names = dict(
        loss_seg='loss_seg_main',
        loss_adv='loss_adv_main',
        loss_cls='loss_stuff',
        loss_ins='loss_ins',
        loss_D_src_half='loss_dis_main_source',
        loss_D_trg_half='loss_dis_main_target',
        loss_seg_trg='loss_seg_target',
    )
    terms = dict(adv='loss_adv_main', stuff='loss_stuff', ins='loss_ins')
    for t in range(len(data['loss_seg'])):
        for wrapper in wrappers.values():
            set_rates(wrapper.optimizer, (1 - t / cfg['max_iter']) ** cfg['power'])
        step = part(data, f'step{t}.')
        pseudo = step['trg_label'][None] if 'trg_label' in step else None
        logs = model.train_step(
            dict(
                source=side(step['src_img'][None], step['src_label'][None]), target=side(step['trg_img'][None], pseudo)
            ),
            wrappers,
        )
        for stored, ours in names.items():
            if stored in data:
                np.testing.assert_allclose(
                    logs[ours], data[stored][t], rtol=0, atol=LOSS, err_msg=f'step {t}, {stored}'
                )
        total = sum(cfg[f'lambda_{name}'] * logs[ours] for name, ours in terms.items()) + logs.get('loss_seg_target', 0)
        np.testing.assert_allclose(total, data['loss_target_total'][t], rtol=0, atol=LOSS, err_msg=f'step {t}, total')
        np.testing.assert_array_equal(model.stuff_memory.count, data['cls_ptr'][t])
        np.testing.assert_array_equal(model.thing_memory.count, data['ins_ptr'][t])
    np.testing.assert_allclose(model.stuff_memory.entries, data['final_cls_mem'], rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.thing_memory.entries, data['final_ins_mem'], rtol=0, atol=1e-5)
    state = model.segmentor.state_dict()
    final = part(data, 'final.')
    assert set(final) == set(init)
    for key, stored in final.items():
        np.testing.assert_allclose(state[our_name(key)], stored, rtol=1e-5, atol=2e-5, err_msg=key)
    before = {name: value.clone() for name, value in model.discriminator.state_dict().items()}
    load_discriminator(model.discriminator, part(data, 'D_final.'))
    for name, value in model.discriminator.state_dict().items():
        check_trained_by_adam(before[name].numpy(), value.numpy(), cfg['lr_D'], name)


def check_trained_by_adam(ours: np.ndarray, stored: np.ndarray, lr: float, name: str) -> None:
    """Compare weights that Adam has trained. One in a thousand can differ by 5 % of a step on CPUs without AVX-512.

    Adam divides small gradients by their own size, so that rounding errors become visible parts of a step.
    """
    off = np.abs(ours - stored)
    beyond = off > 2e-5 + 1e-5 * np.abs(stored)
    assert beyond.sum() <= off.size // 1000 and off.max() <= 0.05 * lr, (name, off.max())
