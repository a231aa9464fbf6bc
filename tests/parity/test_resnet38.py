"""ResNet-38, block by block and whole, through the converter of its original files."""

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conversion import config_for
from golden import golden_files, load, scalar, section
from mmseg.registry import MODELS
from toolbox import CONFIGS

from mmuda.checkpoints.key_maps import RESNET38, rename
from mmuda.conversion import convert
from mmuda.engine.launch import load_config
from mmuda.models import ResNet38Head
from mmuda.models.backbones.resnet38 import PreActivationBlock

EPS = dict(type='BN', eps=1.001e-5)


def mxnet(arrays: dict) -> dict:
    """Return the names of arrays as in the files of MXNet."""
    return {('aux:' if 'moving' in name else 'arg:') + name: value for name, value in arrays.items()}


def block_weights(arrays: dict) -> dict:
    """Return the weights of one block by their names in it. Files call level 6 of the 3x3 block 6x; it is the first."""
    arrays = {name.replace('6x', '6a'): value for name, value in arrays.items()}
    renamed = rename(mxnet(arrays), RESNET38).weights
    return {key.split('.', 3)[3]: torch.from_numpy(value) for key, value in renamed.items()}


def geometry(case: str, convs: int) -> dict:
    """Return strides and dilations by case: ``_stride2``, ``_incdilate4`` (from 2), ``_d2`` (all 3x3 layers)."""
    kind = re.fullmatch(r'b[0-9]+(?:_proj|_identity)?_(stride2)?(?:_even)?(?:incdilate([0-9]+))?(?:d([0-9]+))?', case)
    assert kind, f'unknown block {case!r} in the file'
    if kind[1]:
        return dict(stride=2, dilations=(1,) * convs)
    if kind[2]:
        return dict(dilations=(int(kind[2]) // 2,) + (int(kind[2]),) * (convs - 1))
    dilation = int(kind[3])
    return dict(dilations=(dilation,) * convs if convs == 2 else (1, dilation, 1))


@pytest.mark.parametrize('path', golden_files('cbst', 'resnet38_blocks'))
def test_blocks(path):
    data = {key.replace('__', '/', 1): value for key, value in load(path).items()}
    cases = sorted({key.split('/')[0] for key in data})
    assert cases
    for case in cases:
        arrays = section(data, case)
        x, stored = torch.from_numpy(arrays.pop('data')), arrays.pop('out')
        if case.startswith('head'):
            out = head(arrays, x)
        else:
            weights = block_weights(arrays)
            widths = [len(weights[f'conv{i}.weight']) for i in (1, 2, 3) if f'conv{i}.weight' in weights]
            block = PreActivationBlock(
                x.shape[1],
                widths,
                (1, 3, 1) if len(widths) == 3 else (3, 3),
                projection='shortcut.weight' in weights,
                dropout=0.5,
                norm_cfg=EPS,
                **geometry(case, len(widths)),
            )
            load_strictly(block, weights)
            with torch.no_grad():
                out = block.eval()(x)
        np.testing.assert_allclose(out.numpy(), stored, rtol=0, atol=1e-5 * np.abs(stored).max(), err_msg=case)


def head(arrays: dict, x: torch.Tensor) -> torch.Tensor:
    """Apply the last norm and ReLU of the backbone, and then the head."""
    weights = {key: torch.from_numpy(value) for key, value in rename(mxnet(arrays), RESNET38).weights.items()}
    norm = torch.nn.BatchNorm2d(x.shape[1], eps=EPS['eps'])
    load_strictly(norm, {key[len('backbone.bn7.') :]: value for key, value in weights.items() if 'bn7' in key})
    module = ResNet38Head(
        x.shape[1], *weights['decode_head.conv_seg.bias'].shape, channels=len(weights['decode_head.conv6a.bias'])
    )
    load_strictly(module, {key[len('decode_head.') :]: value for key, value in weights.items() if 'head' in key})
    with torch.no_grad():
        return module((norm.eval()(x).relu(),))


def load_strictly(module: torch.nn.Module, weights: dict) -> None:
    missing, unexpected = module.load_state_dict(weights, strict=False)
    assert not unexpected and all(key.endswith('num_batches_tracked') for key in missing)


def recipe(data: dict, name: str, shape: tuple) -> np.ndarray:
    """Return the weight that the README of the files prescribes for a name."""
    generator = np.random.RandomState(zlib.crc32(name.encode()) ^ scalar(data, 'seed'))
    if name.endswith('_gamma'):
        value = 0.8 + 0.1 * generator.standard_normal(shape)
    elif name.endswith(('_beta', '_bias', '_moving_mean')):
        value = 0.1 * generator.standard_normal(shape)
    elif name.endswith('_moving_var'):
        value = 0.8 + 0.4 * generator.random_sample(shape)
    else:
        value = generator.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    return value.astype(np.float32)


def write_params(path: Path, data: dict) -> None:
    """Write an MXNet file (V2) with all weights of the recipe."""
    names, kinds = data['param_names'].tolist(), data['is_aux'].tolist()
    with open(path, 'wb') as file:
        file.write(struct.pack('<QQQ', 0x112, 0, len(names)))
        for name, shape, first in zip(names, data['param_shapes'].tolist(), data['param_first3'], strict=True):
            value = recipe(data, name, tuple(int(n) for n in shape.split('x')))
            np.testing.assert_allclose(value.ravel()[:3], first[: value.size], rtol=1e-6, err_msg=name)
            file.write(struct.pack(f'<IiI{value.ndim}qiii', 0xF993FAC9, 0, value.ndim, *value.shape, 1, 0, 0))
            file.write(value)
        file.write(struct.pack('<Q', len(names)))
        for name, is_aux in zip(names, kinds, strict=True):
            full = (('aux:' if is_aux else 'arg:') + name).encode()
            file.write(struct.pack('<Q', len(full)) + full)


def module_of(layer: str) -> str:
    """Return the name of our module with the output of a layer of MXNet."""
    (ours,) = rename({f'arg:{layer.removesuffix("_relu")}_weight': None}, RESNET38).weights
    return ours.removesuffix('.weight')


@pytest.mark.parametrize('path', golden_files('cbst', 'resnet38_full'))
def test_whole(path, tmp_path):
    data = load(path)
    num_classes = scalar(data, 'num_classes')
    write_params(tmp_path / 'net.params', data)
    config = config_for('cbst', 'resnet38', num_classes, False, tmp_path)
    done = convert('cbst', tmp_path / 'net.params', tmp_path / 'net.pth', CONFIGS, config)
    (tmp_path / 'net.params').unlink()
    assert (
        done.config.name == {19: 'gta2city.py', 16: 'synthia2city.py'}.get(num_classes, 'other_classes.py')
        and not done.left_out
    )
    segmentor = MODELS.build(load_config(done.config).model.segmentor).eval()
    content = torch.load(tmp_path / 'net.pth', weights_only=True, mmap=True)
    segmentor.load_state_dict(content['state_dict'])
    assert len(content['meta']['classes']) == num_classes

    seen, layers = {}, [key.removesuffix('__slice') for key in data if key.endswith('__slice')]
    assert len(layers) > 1
    for name in layers:
        if name != 'relu7':
            segmentor.get_submodule(module_of(name)).register_forward_hook(
                lambda _, __, out, name=name: seen.update({name: out})
            )
    x = np.random.RandomState(scalar(data, 'seed')).standard_normal(data['input_shape']).astype(np.float32)
    with torch.no_grad():
        outputs = segmentor(torch.from_numpy(x), mode='outputs')
    logits = outputs.logits['main']
    np.testing.assert_allclose(logits.numpy(), data['logits'], rtol=0, atol=1e-4)
    np.testing.assert_allclose(logits.softmax(1).numpy(), data['prob'], rtol=0, atol=1e-5)
    seen['relu7'] = outputs.features[0]
    for layer in layers:
        out, stored = seen[layer], data[f'{layer}__slice']
        out = out.relu() if layer.endswith('_relu') else out
        assert tuple(out.shape) == tuple(data[f'{layer}__shape']), layer
        np.testing.assert_allclose(
            out[0, :8, :8, :8].numpy(), stored, rtol=0, atol=2e-5 * max(1.0, np.abs(stored).max()), err_msg=layer
        )
        np.testing.assert_allclose(
            out.abs().double().mean().item(), scalar(data, f'{layer}__mean_abs'), rtol=1e-5, err_msg=layer
        )
