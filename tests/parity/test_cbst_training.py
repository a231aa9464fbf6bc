"""Training steps of CBST: loss, frozen statistics, and two kinds of weights in the optimizer."""

import numpy as np
import pytest
import torch
from golden import golden_files, load, scalar, section
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.models.segmentors import SegOutputs

TOLERANCE = dict(rtol=0, atol=1e-6)

# Our names by those of MXNet.
NAMES = dict(
    c1_weight='c1.weight',
    b1_gamma='b1.weight',
    b1_beta='b1.bias',
    score_weight='score.weight',
    score_bias='score.bias',
    b1_moving_mean='b1.running_mean',
    b1_moving_var='b1.running_var',
)


@MODELS.register_module()
class TwoConvolutions(BaseModule):
    """The network of the stored steps: conv3x3, batch-norm, ReLU, conv3x3 with dilation 2."""

    with_auxiliary_head, align_corners = False, False

    def __init__(self, inputs: int, channels: int, num_classes: int, eps: float) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
        self.b1 = nn.BatchNorm2d(channels, eps=eps)
        self.score = nn.Conv2d(channels, num_classes, 3, padding=2, dilation=2)

    def forward(self, inputs: Tensor, data_samples=None, mode: str = 'outputs') -> SegOutputs:
        logits = self.score(self.b1(self.c1(inputs)).relu())
        return SegOutputs(dict(main=logits), (), tuple(inputs.shape[-2:]), self.align_corners)


def build(data: dict):
    init = section({key.replace('__', '/', 1): value for key, value in data.items()}, 'init')
    model = MODELS.build(
        dict(
            type='SelfTraining',
            freeze_bn_statistics=True,
            data_preprocessor=dict(type='DomainPairPreprocessor'),
            segmentor=dict(
                type='TwoConvolutions',
                inputs=init['c1_weight'].shape[1],
                channels=len(init['c1_weight']),
                num_classes=len(init['score_bias']),
                eps=scalar(data, 'bn_eps'),
            ),
        )
    )
    state = model.segmentor.state_dict()
    state.update({NAMES[name]: torch.from_numpy(value) for name, value in init.items()})
    assert set(NAMES) == set(init)
    model.segmentor.load_state_dict(state)
    wrappers = PerModuleOptimWrapperConstructor(
        dict(
            segmentor=dict(
                optimizer=dict(
                    type='SGD',
                    lr=scalar(data, 'lr'),
                    momentum=scalar(data, 'momentum'),
                    weight_decay=scalar(data, 'wd'),
                ),
                # PyTorch uses the name `bias` for biases of convolutions and shifts of batch-norm.
                paramwise_cfg=dict(custom_keys={'bias': dict(lr_mult=2.0, decay_mult=0.0)}),
            )
        )
    )(model)
    return model, wrappers


def batch(step: dict, split: int) -> dict:
    """Return the images of a step, the first `split` of them as source."""

    def side(images, labels):
        samples = [
            SegDataSample(gt_sem_seg=PixelData(data=torch.from_numpy(label.astype(np.int64))[None])) for label in labels
        ]
        return dict(inputs=[torch.from_numpy(image) for image in images], data_samples=samples)

    sides = dict(
        source=side(step['data'][:split], step['label'][:split]),
        target=side(step['data'][split:], step['label'][split:]),
    )
    return {name: part for name, part in sides.items() if part['inputs']}


@pytest.mark.parametrize('split', ['mixed', 'source', 'target'])
@pytest.mark.parametrize('path', golden_files('cbst', 'train_step'))
def test_training_steps(path, split):
    data = load(path)
    model, wrappers = build(data)
    gradients = {}

    def see(optimizer, args, kwargs):
        gradients.update((name, p.grad.clone()) for name, p in model.segmentor.named_parameters())

    wrappers['segmentor'].optimizer.register_step_pre_hook(see)
    numbers = sorted({int(key.split('__')[0][1:]) for key in data if key.startswith('s') and '__' in key})
    assert numbers
    for number in numbers:
        step = section({key.replace('__', '/', 2): value for key, value in data.items()}, f's{number}')
        count = len(step['data'])
        with torch.no_grad():
            prob = model.train().segmentor(torch.from_numpy(step['data'])).logits['main'].softmax(dim=1)
        np.testing.assert_allclose(prob.numpy(), step['prob'], **TOLERANCE, err_msg=f'step {number}')

        logs = model.train_step(batch(step, dict(mixed=count // 2, source=count, target=0)[split]), wrappers)
        np.testing.assert_allclose(logs['loss_seg_main'].item(), step['ce'], **TOLERANCE, err_msg=f'step {number}')
        for name, stored in section(step, 'grad').items():
            np.testing.assert_allclose(
                gradients[NAMES[name]].numpy(), stored, **TOLERANCE, err_msg=f'step {number}, gradient of {name}'
            )
        state, after = model.segmentor.state_dict(), section(step, 'after')
        assert set(after) == set(NAMES)
        for name, stored in after.items():
            np.testing.assert_allclose(
                state[NAMES[name]].numpy(), stored, **TOLERANCE, err_msg=f'step {number}, {name}'
            )
        gradients.clear()
