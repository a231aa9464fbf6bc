"""Networks of DAFormer, compared with stored values of the original: MiT, the head, inference, and their optimizer."""

import ast
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import SHIPPED_DIR, golden_files, load, scalar, section
from mmcv.cnn.bricks import DropPath
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from originals import original_mit
from standins_daformer import TinyS, tiny_s_channels
from toolbox import CONFIGS
from torch import Tensor, nn

from mmuda.checkpoints.key_maps import MIT, rename
from mmuda.checkpoints.states import with_counters
from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.engine.launch import load_config
from mmuda.models import DAFormerHead, MiT

TOLERANCE = 2e-5
"""Tolerance that the files suggest, relative to the largest value of an array."""


def close(found: Tensor | np.ndarray, stored: np.ndarray, name: str, tolerance: float = TOLERANCE) -> None:
    found = found.detach().numpy() if isinstance(found, Tensor) else found
    limit = tolerance * max(np.abs(stored).max(), 1e-3)
    assert found.shape == stored.shape, name
    assert np.abs(found - stored).max() <= limit, (name, np.abs(found - stored).max() / limit)


def ramp_sum(x: Tensor) -> Tensor:
    """Return the scalar whose gradients are stored."""
    return (x * torch.linspace(-1, 1, x.numel()).view_as(x)).sum()


def tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {key: torch.from_numpy(np.asarray(value)) for key, value in arrays.items()}


def from_file(net: MiT, state: dict[str, Tensor], folder: Path) -> MiT:
    """Initialise a MiT from a file in the layout of NVIDIA, including the classifier that such files have."""
    torch.save(dict(state_dict=dict(state, **{'head.weight': torch.zeros(1000, 4)})), folder / 'mit.pth')
    net.init_cfg = dict(type='StrictPretrained', checkpoint=str(folder / 'mit.pth'))
    net.init_weights()
    return net.eval()


def mit_with(
    embed_dims: list[int], num_heads: list[int], mlp_ratios: list[int], depths: list[int], sr_ratios: list[int], rate
) -> MiT:
    """Return a MiT with any widths of stages.

    Ours has one width for all attention heads and one MLP ratio, as all released variants. So each stage is that of a
    MiT with its width and ratio.
    """
    nets = [
        MiT(
            embed_dims=width // heads,
            num_heads=num_heads,
            num_layers=depths,
            sr_ratios=sr_ratios,
            mlp_ratio=ratio,
            drop_path_rate=rate,
        )
        for width, heads, ratio in zip(embed_dims, num_heads, mlp_ratios, strict=True)
    ]
    for i, before in enumerate(embed_dims[:-1], 1):
        nets[0].layers[i] = nets[i].layers[i]
        embedding = nets[i].layers[i][0]
        old = embedding.projection
        embedding.projection = nn.Conv2d(before, embed_dims[i], old.kernel_size, old.stride, old.padding)
    return nets[0]


def drop_rates(net: MiT) -> list[float]:
    """Return the drop rates of the blocks in order, which are equal in both branches of a block."""
    rates = [module.drop_prob for module in net.modules() if isinstance(module, DropPath)]
    assert rates[::2] == rates[1::2]
    return rates[::2]


# MiT.


@pytest.mark.parametrize('path', golden_files('daformer', 'mit_small'))
def test_mit(path, tmp_path):
    data = load(path)
    arg = {name: values.tolist() for name, values in section(data, 'arg').items()}
    net = mit_with(**arg, rate=scalar(data, 'drop_path_rate_f64'))
    from_file(net, tensors(section(data, 'state')), tmp_path)
    np.testing.assert_allclose(drop_rates(net), data['drop_path_probs_f64'], rtol=1e-6)
    image = torch.from_numpy(data['input']).requires_grad_()
    features = net(image)
    stored = [data[f'feature{i}'] for i in range(len(features))]
    for i, (feature, wanted) in enumerate(zip(features, stored, strict=True)):
        close(feature, wanted, f'feature{i}')
    sum(map(ramp_sum, features)).backward()
    close(image.grad[:, :, ::2, ::2], data['grad_input_every2'], 'input')
    gradients = section(data, 'grad')
    assert gradients
    for key, gradient in gradients.items():
        ((ours, wanted),) = rename({key: torch.from_numpy(gradient)}, MIT).weights.items()
        name, _, part = ours.removeprefix('backbone.').partition('#')
        found = net.get_parameter(name).grad
        if part:  # part 0 is that of queries, part 1 that of keys and values
            found = found[: found.shape[0] // 3] if part == '0' else found[found.shape[0] // 3 :]
        close(found, wanted.numpy(), key)


def by_rule(key: str, shape: tuple) -> Tensor:
    """Return the weight that the README of the golden files prescribes for a key of MiT."""
    r = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if key.endswith('bias'):
        r = 0.05 * r
    elif len(shape) == 1:
        r = 1 + 0.1 * r
    else:
        r = r * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(r.astype(np.float32))


@pytest.mark.parametrize('path', golden_files('daformer', 'mit_b5_forward'))
def test_mit_b5(path, tmp_path):
    data = load(path)
    shapes = {key: tuple(value.shape) for key, value in original_mit(MiT('b5').state_dict()).items()}
    assert len(shapes) == scalar(data, 'num_keys')
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == scalar(data, 'num_parameters')
    net = from_file(MiT('b5'), {key: by_rule(key, shape) for key, shape in shapes.items()}, tmp_path)
    (tmp_path / 'mit.pth').unlink()  # it is large
    np.testing.assert_allclose(drop_rates(net), data['drop_path_probs_f64'], rtol=1e-6)
    with torch.no_grad():
        features = net(torch.from_numpy(data['input']))
    for i, feature in enumerate(features):
        assert tuple(feature.shape) == tuple(data[f'feature{i}_shape'])
        close(feature[:, ::8], data[f'feature{i}_every8'], f'feature{i}', tolerance=1e-4)
        close(torch.stack([feature.mean(), feature.std()]), data[f'feature{i}_mean_std'], f'moments {i}', 1e-4)


# The head.


def head_of(data: dict) -> DAFormerHead:
    head = DAFormerHead(
        in_channels=data['in_channels'].tolist(),
        in_index=range(len(data['in_channels'])),
        num_classes=scalar(data, 'num_classes'),
        channels=scalar(data, 'channels'),
        embed_dims=scalar(data, 'embed_dim'),
        dilations=data['dilations'].tolist(),
        dropout_ratio=0.0,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=False),
    )
    head.load_state_dict(tensors(section(data, 'state')))
    return head


@pytest.mark.parametrize('path', golden_files('daformer', 'daformer_head'))
def test_head(path):
    data = load(path)
    head = head_of(data).eval()
    inputs = [torch.from_numpy(data[f'input{i}']).requires_grad_() for i in range(len(data['in_channels']))]
    with torch.no_grad():
        close(head(inputs), data['eval/logits'], 'eval')
    logits = head.train()(inputs)
    close(logits, data['train/logits'], 'train')
    ramp_sum(logits).backward()
    gradients = section(data, 'grad')
    found = dict({f'input{i}': x.grad for i, x in enumerate(inputs)}, **{n: p.grad for n, p in head.named_parameters()})
    assert set(found) == set(gradients)
    for name, gradient in gradients.items():
        close(found[name], gradient, name)
    state = head.state_dict()
    for name, buffer in section(data, 'train/after').items():
        close(state[name].float(), buffer.astype(np.float32), name)

    label, weight = (torch.from_numpy(data[f'loss/{name}']) for name in ('label', 'weight'))
    with torch.no_grad():
        full = F.interpolate(head.eval()(inputs), size=label.shape[-2:], mode='bilinear', align_corners=False)
        loss = head.loss_decode(full, label.long(), weight=weight, ignore_index=255)
    assert loss.item() == pytest.approx(scalar(data, 'loss/loss_seg'), rel=1e-5)
    right = (full.argmax(dim=1) == label).sum() * 100 / label.numel()
    assert right.item() == pytest.approx(data['loss/acc_seg'].item(), rel=1e-5)


# Inference.


@pytest.mark.parametrize('path', golden_files('daformer', 'inference'))
def test_inference(path):
    data = load(path)
    init_default_scope('mmseg')
    state = tensors(section(data, 'state'))
    channels = tiny_s_channels(state)
    segmentor = MODELS.build(
        dict(
            type='AdaptiveEncoderDecoder',
            backbone=dict(type=TinyS, channels=channels),
            decode_head=dict(
                type='DAFormerHead',
                in_channels=channels[1:],
                in_index=[0, 1, 2, 3],
                num_classes=len(state['decode_head.conv_seg.weight']),
                channels=state['decode_head.conv_seg.weight'].shape[1],
                embed_dims=len(state['decode_head.embed_layers.0.proj.weight']),
                dilations=data['dilations'].tolist(),
            ),
            test_cfg=ConfigDict(mode='whole', via_input=True),
        )
    )
    segmentor.load_state_dict(with_counters(state, segmentor.state_dict()))
    image = torch.from_numpy(data['image_u8']).float()
    mean, std = (torch.from_numpy(data[name]).view(1, 3, 1, 1) for name in ('mean', 'std'))
    size = tuple(data['ori_hw'].tolist())
    samples = [SegDataSample(metainfo=dict(ori_shape=size, img_shape=image.shape[-2:])) for _ in image]
    with torch.no_grad():
        (found,) = segmentor.eval().predict((image - mean) / std, samples)
    close(found.seg_logits.data.softmax(dim=0)[None, :, ::3, ::3], data['probs_every3'], 'probabilities')
    assert np.array_equal(found.pred_sem_seg.data[0].numpy(), data['pred'])


# Optimizer groups.


class Segmentor(nn.Module):
    """A segmentor with the names of its parts."""

    def __init__(self, backbone: nn.Module, decode_head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.decode_head = backbone, decode_head


class Adaptor(nn.Module):
    """An adaptor with one trainable child."""

    def __init__(self, segmentor: nn.Module) -> None:
        super().__init__()
        self.segmentor = segmentor


@pytest.mark.parametrize('path', golden_files('daformer', 'paramwise'))
def test_optimizer_groups(path):
    """In our schedule with the numbers of the file, each weight has the learning rate and decay of the original."""
    data = load(path)
    shapes = {
        n: ast.literal_eval(shape) for n, shape in zip(data['names'].tolist(), data['shapes'].tolist(), strict=True)
    }
    model = Adaptor(Segmentor(mit_like(shapes), head_like(shapes)))
    lr, decay = data['base_lr_wd_f64'].tolist()
    *betas, eps = data['betas_eps_f64'].tolist()
    cfg = load_config(CONFIGS / '_base_/schedules/adamw_40k.py').optim_wrapper
    cfg.pop('constructor')
    cfg.segmentor.optimizer.update(lr=lr, weight_decay=decay, betas=tuple(betas), eps=eps)
    cfg.segmentor.paramwise_cfg.custom_keys['head'].lr_mult = head_factor(data)
    groups = PerModuleOptimWrapperConstructor(cfg)(model)['segmentor'].optimizer.param_groups
    assert all((*group['betas'], group['eps']) == (*betas, eps) for group in groups)
    found = {id(p): (group['lr'], group['weight_decay']) for group in groups for p in group['params']}
    ours = {name: found[id(p)] for name, p in model.segmentor.named_parameters()}
    assert len(found) == len(ours)
    compared = set()
    for name, lr, decay in zip(data['names'].tolist(), data['lr_f64'], data['weight_decay_f64'], strict=True):
        ((renamed, _),) = rename({name: torch.zeros(1, 1)}, MIT_AND_HEAD).weights.items()
        key = renamed.partition('#')[0]
        assert ours[key] == pytest.approx((lr, decay), rel=1e-12), name
        compared.add(key)
    assert compared == set(ours)


def head_factor(data: dict) -> float:
    """Return the factor of the learning rate of the classifier."""
    rates = dict(zip(data['names'].tolist(), data['lr_f64'].tolist(), strict=True))
    return rates['decode_head.conv_seg.weight'] / data['base_lr_wd_f64'][0]


@pytest.mark.parametrize('path', golden_files('daformer', 'paramwise', SHIPPED_DIR))
def test_our_optimizer_is_the_recipe(path):
    data = load(path)
    cfg = load_config(CONFIGS / '_base_/schedules/adamw_40k.py').optim_wrapper.segmentor
    optimizer = cfg.optimizer
    assert [optimizer.lr, optimizer.weight_decay] == data['base_lr_wd_f64'].tolist()
    assert [*optimizer.betas, optimizer.get('eps', 1e-8)] == data['betas_eps_f64'].tolist()
    assert cfg.paramwise_cfg.custom_keys['head'].lr_mult == pytest.approx(head_factor(data), rel=1e-12)


MIT_AND_HEAD = [rule for rule in MIT if 'decode_head' not in rule[0]]


def mit_like(shapes: dict[str, tuple]) -> MiT:
    """Return a MiT with the names of these weights. Their widths do not matter here."""
    stages = range(1, 5)
    depths = [sum(f'backbone.block{s}.{b}.norm1.weight' in shapes for b in range(99)) for s in stages]
    reductions = [shapes.get(f'backbone.block{s}.0.attn.sr.weight', (1,))[-1] for s in stages]
    return MiT(embed_dims=4, num_heads=(1, 1, 1, 1), num_layers=depths, sr_ratios=reductions, mlp_ratio=1)


def head_like(shapes: dict[str, tuple]) -> DAFormerHead:
    branches = sum(f'decode_head.fuse_layer.aspp_modules.{i}.conv.weight' in shapes for i in range(9))
    branches += sum(f'decode_head.fuse_layer.aspp_modules.{i}.depthwise_conv.conv.weight' in shapes for i in range(9))
    embeddings = [shapes[f'decode_head.embed_layers.{i}.proj.weight'] for i in range(4)]
    return DAFormerHead(
        in_channels=[shape[1] for shape in embeddings],
        in_index=range(4),
        num_classes=shapes['decode_head.conv_seg.weight'][0],
        channels=shapes['decode_head.conv_seg.weight'][1],
        embed_dims=embeddings[0][0],
        dilations=[1, *(6 * i for i in range(1, branches))],
    )
