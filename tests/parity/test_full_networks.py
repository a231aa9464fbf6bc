"""The full networks of the papers: original files, rebuilt from a recipe for their weights, converted and compared."""

import ast
import zlib
from collections import OrderedDict

import numpy as np
import pytest
import torch
from conversion import config_for
from golden import SHIPPED_DIR, golden_cases, golden_files, load, scalar, section
from mmseg.registry import MODELS
from toolbox import CONFIGS
from torch import nn

from mmuda.checkpoints import load_weights
from mmuda.conversion import convert
from mmuda.engine.launch import load_config
from mmuda.stages import network_config


def recipe(key: str, shape: tuple, seed: int) -> torch.Tensor:
    """Return the weight that the README of the files prescribes for a key."""
    x = np.random.RandomState(seed).standard_normal(shape)
    if key.endswith('running_var'):
        x = 1 + 0.1 * np.abs(x)
    elif key.endswith('.weight') and len(shape) == 4:
        x = x * np.sqrt(2 / (shape[1] * shape[2] * shape[3]))
    elif key.endswith('.weight'):
        x = (0.2 if key.endswith('bn3.weight') else 1.0) * (1 + 0.1 * x)
    else:  # running means and biases
        x = 0.1 * x
    return torch.from_numpy(np.asarray(x, np.float32))


def original_weights(data: dict) -> dict:
    """Return the state dict of the original network of a file."""
    state = OrderedDict()
    for index, (key, shape) in enumerate(zip(data['keys'].tolist(), data['shapes'].tolist(), strict=True)):
        shape = (
            ast.literal_eval(shape)
            if shape.startswith(('(', '['))
            else tuple(int(n) for n in shape.replace('x', ',').split(',') if n)
        )
        state[key] = recipe(key, tuple(shape), scalar(data, 'base_seed') + index)
    return state


def trunk_of(weights: dict) -> str:
    return 'vgg' if 'features.0.weight' in weights else 'resnet'


def converted(
    origin: str, content: dict, folder, trunk: str, num_classes: int, two_levels: bool = False, stage: str = None
) -> tuple:
    """Convert an original file; return the segmentor (of a stage of the config) and the report of the converter."""
    torch.save(content, folder / 'original.pth')
    del content
    config = config_for(origin, trunk, num_classes, two_levels, folder)
    done = convert(origin, folder / 'original.pth', folder / 'ours.pth', CONFIGS, config)
    assert len(done.meta['classes']) == num_classes
    segmentor = MODELS.build(network_config(load_config(done.config), stage).model.segmentor)
    load_weights(segmentor, torch.load(folder / 'ours.pth', weights_only=True), 'ours.pth')
    for file in folder.glob('*.pth'):
        file.unlink()  # they are large
    return segmentor, done


def deviation(ours: torch.Tensor, stored: np.ndarray) -> float:
    return np.abs(ours.numpy() - stored).max() / np.abs(stored).max()


@pytest.mark.parametrize(
    'path',
    [*golden_files('adaptsegnet', 'r101'), *golden_files('adaptsegnet', 'vgg16'), *golden_files('advent', 'r101')],
)
def test_deeplab(path, tmp_path):
    data = load(path)
    two_levels = 'eval_out2' in data
    weights = original_weights(data)
    model, done = converted(
        path.parent.name, weights, tmp_path, trunk_of(weights), data['eval_out1'].shape[1], two_levels
    )
    summed = [0, 1] if path.parent.name == 'adaptsegnet' else [0, 1, 2, 3]
    assert done.meta['summed_branches'] == {'decode_head': summed, **({'auxiliary_head': summed} if two_levels else {})}
    x = torch.from_numpy(data['x'])
    for mode in ('eval', 'train'):
        model.train(mode == 'train')
        with torch.no_grad():
            outputs = model(x, mode='outputs')
        for number, level in enumerate(('aux', 'main') if two_levels else ('main',), 1):
            assert deviation(outputs.logits[level], data[f'{mode}_out{number}']) < 1e-4, (mode, level)
    after = model.state_dict()
    changed = section(data, 'after_train', optional=True)
    # VGG-16 has no running statistics.
    assert bool(changed) == any('running_' in key for key in after)
    for key, stored in changed.items():
        np.testing.assert_allclose(
            after[f'backbone.{key}'].numpy().ravel()[: stored.size], stored, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize('path', golden_files('adaptsegnet', 'r101_multi'))
def test_the_same_file_is_another_network_for_another_origin(path, tmp_path):
    """Files of AdaptSegNet, ADVENT and SIM have the same keys, but the origin determines which branches are summed."""
    data = load(path)
    model, done = converted('sim', original_weights(data), tmp_path, 'resnet', data['eval_out2'].shape[1])
    assert done.meta['summed_branches'] == {'decode_head': [0, 1]} and len(done.left_out) == 8
    with torch.no_grad():
        outputs = model.eval()(torch.from_numpy(data['x']), mode='outputs')
    assert deviation(outputs.logits['main'], data['eval_out2']) < 1e-4


def rule(key: str, shape: tuple) -> torch.Tensor:
    """Return the weight that the README of SDCA's networks prescribes for a key."""
    r = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if key.endswith('running_var'):
        value = np.exp(0.1 * r)
    elif key.endswith(('running_mean', 'bias')):
        value = 0.05 * r
    elif len(shape) == 1:
        value = (1 + 0.1 * r) * (0.2 if '.bn3.' in key else 1.0)
    else:
        value = r * np.sqrt((0.02 if key.startswith('conv2d_list') else 2) / np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(value, np.float32))


class Names(nn.Module):
    """A module with the keys and shapes of the originals, written from their description. It is never run."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        convs = nn.ModuleDict if kind == 'vgg16' else nn.Module
        self.backbone = convs()
        if kind == 'vgg16':
            widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
            places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31]
            for place, c_in, c_out in zip(places, widths[:-1], widths[1:], strict=True):
                self.backbone[str(place)] = nn.Conv2d(c_in, c_out, 3)
            return
        self.backbone.conv1, self.backbone.bn1 = nn.Conv2d(3, 64, 7, bias=False), nn.BatchNorm2d(64)
        c_in = 64
        for number, (planes, blocks) in enumerate(((64, 3), (128, 4), (256, 23), (512, 3)), 1):
            layer = []
            for i in range(blocks):
                block = nn.Module()
                widths = [c_in, planes, planes, 4 * planes]
                for j, kernel in enumerate((1, 3, 1), 1):
                    block.add_module(f'conv{j}', nn.Conv2d(widths[j - 1], widths[j], kernel, bias=False))
                    block.add_module(f'bn{j}', nn.BatchNorm2d(widths[j]))
                if i == 0:
                    block.downsample = nn.Sequential(
                        nn.Conv2d(c_in, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)
                    )
                layer.append(block)
                c_in = 4 * planes
            self.backbone.add_module(f'layer{number}', nn.Sequential(*layer))


@pytest.mark.parametrize('path', golden_files('sdca', 'networks', SHIPPED_DIR))
def test_the_file_has_every_network(path):
    found = {key.removesuffix('/logits') for key in load(path) if key.endswith('/logits')}
    assert found == {'resnet101', 'resnet101_bn', 'vgg16'}


@pytest.mark.parametrize('path, kind', golden_cases(golden_files('sdca', 'networks'), 'logits'))
def test_fada_and_sdca(path, kind, tmp_path):
    data = section(load(path), kind)
    with torch.device('meta'):
        shapes = {key: tuple(value.shape) for key, value in Names(kind).state_dict().items()}
    if kind == 'resnet101':  # its frozen batch-norm has no counter
        shapes = {key: shape for key, shape in shapes.items() if not key.endswith('num_batches_tracked')}
    assert len(shapes) == scalar(data, 'num_keys')
    channels, num_classes = int(data['feat_shape'][1]), data['logits'].shape[1]
    extractor = {
        key: torch.tensor(0) if key.endswith('num_batches_tracked') else rule(key, shape)
        for key, shape in shapes.items()
    }
    classifier = {}
    for i in range(4):
        for name, shape in (('weight', (num_classes, channels, 3, 3)), ('bias', (num_classes,))):
            classifier[f'conv2d_list.{i}.{name}'] = rule(f'conv2d_list.{i}.{name}', shape)
    content = dict(
        iteration=20000,
        feature_extractor={f'module.{key}': value for key, value in extractor.items()},
        classifier={f'module.{key}': value for key, value in classifier.items()},
        optimizer_fea=dict(state={}, param_groups=[dict(lr=1e-4, params=[0])]),
    )
    # Batch-norm of the last stage sets an epsilon, that of earlier stages does not.
    model, done = converted(
        'sdca',
        content,
        tmp_path,
        'vgg' if kind == 'vgg16' else 'resnet',
        num_classes,
        stage='source' if kind == 'resnet101' else None,
    )
    assert done.left_out == ['iteration', 'optimizer_fea']
    with torch.no_grad():
        outputs = model.eval()(torch.from_numpy(load(path)['input']), mode='outputs')
    feature = outputs.features[-1]
    np.testing.assert_array_equal(feature.shape, data['feat_shape'])
    assert deviation(feature[:, ::16], data['feat_every16']) < 1e-5
    assert deviation(feature.mean(dim=(0, 2, 3)), data['feat_channel_mean']) < 1e-5
    assert deviation(outputs.logits['main'], data['logits']) < 1e-5
