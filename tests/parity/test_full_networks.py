"""The full ResNet-101 networks of the papers, with weights rebuilt from the recipe of the files."""
import ast

import numpy as np
import pytest
import torch
from golden import golden_files, load, scalar, section
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

import mmuda  # noqa: F401


def recipe(key: str, shape: tuple, seed: int) -> torch.Tensor:
    """The weight that the files' README prescribes for a key."""
    x = np.random.RandomState(seed).standard_normal(shape)
    if key.endswith('running_var'):
        x = 1 + 0.1 * np.abs(x)
    elif key.endswith('.weight') and len(shape) == 4:
        x = x * np.sqrt(2 / (shape[1] * shape[2] * shape[3]))
    elif key.endswith('.weight'):
        x = (0.2 if key.endswith('bn3.weight') else 1.) * (1 + 0.1 * x)
    else:  # running means and biases
        x = 0.1 * x
    return torch.from_numpy(np.asarray(x, np.float32))


def rebuild(data: dict, levels: dict) -> dict:
    """Our state dict of a file; `levels` maps the original's heads to ours."""
    state = {}
    for index, (key, shape) in enumerate(zip(data['keys'].tolist(), data['shapes'].tolist())):
        shape = ast.literal_eval(shape) if shape.startswith(('(', '[')) else tuple(
            int(n) for n in shape.replace('x', ',').split(',') if n)
        stem = key.split('.')[0]
        ours = f'backbone.{key}'
        if stem in levels:
            ours = key.replace(f'{stem}.conv2d_list', f'{levels[stem]}.branches')
        state[ours] = recipe(key, tuple(shape), scalar(data, 'base_seed') + index)
    return state


def build(num_classes: int, summed, two_levels: bool):
    head = dict(type='DeepLabV2Head', num_classes=num_classes, summed=summed)
    return MODELS.build(ConfigDict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(type='DeepLabResNet', depth=101),
        decode_head=dict(head, in_channels=2048, in_index=3),
        auxiliary_head=dict(head, in_channels=1024, in_index=2) if two_levels else None,
        test_cfg=dict(mode='whole')))


@pytest.mark.parametrize('path', [*golden_files('adaptsegnet', 'r101'), *golden_files('advent', 'r101')])
def test_resnet101(path):
    data = load(path)
    keys = data['keys'].tolist()
    two_levels = any(key.startswith('layer5') for key in keys) and any(key.startswith('layer6') for key in keys)
    main = 'layer6' if any(key.startswith('layer6') for key in keys) else 'layer5'
    levels = {main: 'decode_head', **({'layer5': 'auxiliary_head'} if two_levels else {})}
    model = build(data['eval_out1'].shape[1], (0, 1) if path.parent.name == 'adaptsegnet' else None, two_levels)
    state = rebuild(data, levels)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(key.endswith('num_batches_tracked') for key in missing)

    x = torch.from_numpy(data['x'])
    for mode in ('eval', 'train'):
        model.train(mode == 'train')
        with torch.no_grad():
            outputs = model(x, mode='outputs')
        order = ('aux', 'main') if two_levels else ('main', )
        for number, level in enumerate(order, 1):
            stored = data[f'{mode}_out{number}']
            deviation = np.abs(outputs.logits[level].numpy() - stored).max() / np.abs(stored).max()
            assert deviation < 1e-4, (mode, level, deviation)
    after = model.state_dict()
    for key, stored in section(data, 'after_train').items():
        np.testing.assert_allclose(after[f'backbone.{key}'].numpy().ravel()[:stored.size], stored, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('path', golden_files('adaptsegnet', 'vgg16'))
def test_vgg16(path):
    data = load(path)
    model = MODELS.build(ConfigDict(
        type='AdaptiveEncoderDecoder', backbone=dict(type='DeepLabVGG16'),
        decode_head=dict(type='DeepLabV2Head', in_channels=1024, in_index=0, num_classes=data['eval_out1'].shape[1],
                         summed=(0, 1)),
        test_cfg=dict(mode='whole')))
    model.load_state_dict(rebuild(data, {'classifier': 'decode_head'}))
    for mode in ('eval', 'train'):
        model.train(mode == 'train')
        with torch.no_grad():
            outputs = model(torch.from_numpy(data['x']), mode='outputs')
        stored = data[f'{mode}_out1']
        assert np.abs(outputs.logits['main'].numpy() - stored).max() / np.abs(stored).max() < 1e-4
