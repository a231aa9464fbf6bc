"""Names of weights in the original implementations, and their names in mmuda.

A layout is a list of rules (pattern, ours). The first pattern that matches a whole key is used. ``ours`` is the new
name, or a function of the match that returns the new name, or None, which leaves the key out on purpose. An optional
third element is a function that changes the weight. Names that end in ``#0``, ``#1``, ... are parts of one weight,
whose rows are joined in this order. The parts of a segmentor are ``backbone.``, ``decode_head.`` and
``auxiliary_head.``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from re import Match
from typing import Any, NamedTuple, TypeVar

import torch

T = TypeVar('T')
Name = str | None | Callable[[Match], str | None]
Rule = tuple[str, Name] | tuple[str, Name, Callable[[Any], Any]]
Layout = Sequence[Rule]


class Renamed(NamedTuple):
    """Weights under our names.

    Attributes:
        weights: Tensors or arrays by our names. A key that matches no rule keeps its name.
        left_out: Keys that the layout leaves out on purpose.
    """

    weights: dict
    left_out: list[str]


def rename(weights: Mapping[str, T], layout: Layout) -> Renamed:
    """Rename all keys of a state dict by a layout.

    Args:
        weights: Tensors or arrays by the keys of the original implementation.
        layout: Rules for these keys.

    Raises:
        ValueError: If two keys get the same name.
    """
    renamed: dict[str, T] = {}
    came_from: dict[str, str] = {}
    left_out = []
    for key, value in weights.items():
        ours, changed = _apply(layout, key, value)
        if ours is None:
            left_out.append(key)
            continue
        if ours in renamed:
            raise ValueError(f'{came_from[ours]} and {key} are both named {ours} in mmuda: one file holds two networks')
        renamed[ours], came_from[ours] = changed, key
    return Renamed(_join_parts(renamed), left_out)


def _apply(layout: Layout, key: str, value: T) -> tuple[str | None, T]:
    """Apply the first rule that matches, and return the new name and the weight."""
    for pattern, ours, *change in layout:
        match = re.fullmatch(pattern, key)
        if match:
            name = ours(match) if callable(ours) else None if ours is None else match.expand(ours)
            return name, change[0](value) if change else value
    return key, value


def _join_parts(weights: dict[str, T]) -> dict[str, Any]:
    """Join the rows of ``name#0``, ``name#1``, ...; the parts of an incomplete weight keep their names."""
    parts: dict[str, list[str]] = {}
    for key in weights:
        if re.fullmatch(r'.+#[0-9]+', key):
            parts.setdefault(key.partition('#')[0], []).append(key)
    joined: dict[str, Any] = dict(weights)
    for name, keys in parts.items():
        keys = sorted(keys, key=lambda key: int(key.partition('#')[2]))
        if len(keys) < 2 or keys != [f'{name}#{i}' for i in range(len(keys))]:
            continue
        if name in weights:
            raise ValueError(f'{name} exists as a whole and in parts: one file holds two networks')
        joined[name] = torch.cat([joined.pop(key) for key in keys])
    return joined


def _head(theirs: str, ours: str) -> Rule:
    return rf'{theirs}\.conv2d_list\.([0-9]+)\.(weight|bias)', rf'{ours}.branches.\1.\2'


RESNET = (r'(conv1|bn1|layer[1-4])\.(.+)', r'backbone.\1.\2')
VGG = (r'features\.([0-9]+)\.(weight|bias)', r'backbone.features.\1.\2')

DEEPLAB: Layout = (
    RESNET,
    VGG,
    _head('layer5', 'auxiliary_head'),
    _head('layer6', 'decode_head'),
    _head('classifier', 'decode_head'),
)
"""AdaptSegNet, ADVENT and IntraDA: ``layer5`` is the auxiliary head. With VGG-16 they have one head, ``classifier``."""

DEEPLAB_ORACLE: Layout = (RESNET, _head('layer5', 'decode_head'))
"""AdaptSegNet's oracle: one head, named ``layer5`` although it follows layer4."""

DEEPLAB_ONE_LEVEL: Layout = ((r'layer5\..+', None), *DEEPLAB)
"""SIM: as AdaptSegNet, but ``layer5`` is never called and never trained."""

FADA: Layout = (
    (r'feature_extractor\.backbone\.(conv1|bn1|layer[1-4])\.(.+)', r'backbone.\1.\2'),
    (r'feature_extractor\.backbone\.([0-9]+)\.(weight|bias)', r'backbone.features.\1.\2'),
    _head('classifier', 'decode_head'),
)
"""FADA and SDCA: the weights of their two networks, below ``feature_extractor.`` and ``classifier.``."""


def _torchvision_vgg(match: Match) -> str:
    index = int(match[1])
    # Our network has no fourth pooling layer, so the convolutions after it have an index lower by one.
    return f'backbone.features.{index - 1 if index > 23 else index}.{match[2]}'


TORCHVISION_VGG: Layout = ((r'features\.([0-9]+)\.(weight|bias)', _torchvision_vgg), (r'classifier\..+', None))
"""VGG-16 of torchvision, and the Caffe weights under the same names. Our fc6 and fc7 differ: theirs are left out."""

INITIAL_RESNET: Layout = (
    RESNET,
    (r'(?:fc|layer[56])\..+', None),
    (r'[^.]+\.(conv1|bn1|layer[1-4])\.(.+)', r'backbone.\1.\2'),
    (r'[^.]+\.(?:fc|layer[56])\..+', None),
)
"""Initial weights: a ResNet of torchvision or Caffe, or DeepLab's with a prefix (``Scale.``) before every key."""

_SLOTS = dict(branch1='shortcut', branch2a='{}1', branch2b1='{}2', branch2b2='{}3')
_KINDS = dict(res='conv', bn='bn')
_SUFFIXES = dict(
    weight='weight', bias='bias', gamma='weight', beta='bias', moving_mean='running_mean', moving_var='running_var'
)


def _resnet38_block(match: Match) -> str:
    kind, level, block, slot, suffix = match.groups()
    index = 0 if block == 'a' else int(block[1:])
    return f'backbone.level{level}.{index}.{_SLOTS[slot].format(_KINDS[kind])}.{_SUFFIXES[suffix]}'


RESNET38: Layout = (
    (r'arg:conv1a_weight', 'backbone.conv1a.weight'),
    (r'arg:(res)([2-7])(a|b[1-9][0-9]*)_(branch1|branch2a|branch2b1|branch2b2)_(weight)', _resnet38_block),
    (r'arg:(bn)([2-7])(a|b[1-9][0-9]*)_(branch2a|branch2b1|branch2b2)_(gamma|beta)', _resnet38_block),
    (r'aux:(bn)([2-7])(a|b[1-9][0-9]*)_(branch2a|branch2b1|branch2b2)_(moving_mean|moving_var)', _resnet38_block),
    (
        r'(?:arg:bn7_(gamma|beta)|aux:bn7_(moving_mean|moving_var))',
        lambda match: f'backbone.bn7.{_SUFFIXES[match[1] or match[2]]}',
    ),
    (r'arg:conv6a_(weight|bias)', r'decode_head.conv6a.\1'),
    (r'arg:linear1000_(weight|bias)', None),  # the classifier of ImageNet
    (r'arg:linear[0-9]+_(weight|bias)', r'decode_head.conv_seg.\1'),
    (r'(?!arg:|aux:)[^:]*:.*', None),
)  # the last rule leaves out all that MXNet does not read: it reads only parameters and auxiliary states
"""ResNet-38 of ademxapp and CBST, as MXNet names it.

``res4b2_branch2b1_weight`` is the second convolution of block 2 of level 4.
"""

OWN: Layout = (
    (r'(?:segmentor\.)?backbone\.(.+)', r'backbone.\1'),
    (r'(?:segmentor\.)?(?:neck|decode_head|auxiliary_head)\..+', None),
)
"""The backbone of our own checkpoints."""

_LITE_CONVOLUTIONS = ('expand', 'depthwise', 'project')

EFFICIENTNET_LITE: Layout = (
    (r'_conv_stem\.(.+)', r'backbone.stem.conv.\1'),
    (r'_bn0\.(.+)', r'backbone.stem.bn.\1'),
    (r'_blocks\.([0-9]+)\._(expand|depthwise|project)_conv\.(.+)', r'backbone.blocks.\1.\2.conv.\3'),
    (
        r'_blocks\.([0-9]+)\._bn([0-2])\.(.+)',
        lambda match: f'backbone.blocks.{match[1]}.{_LITE_CONVOLUTIONS[int(match[2])]}.bn.{match[3]}',
    ),
    (r'(?:_conv_head|_bn1|_fc)\..+', None),
    *OWN,
)
"""EfficientNet-Lite as the package ``efficientnet-lite-pytorch`` names it.

The last 1x1 convolution, to 1280 channels, and the classifier of ImageNet are left out.
"""


def _as_convolution(weight: Any) -> Any:
    """Return the weight (O, I) of a linear layer as the weight (O, I, 1, 1) of a 1x1 convolution."""
    return weight[..., None, None]


def _mit(prefix: str) -> Layout:
    """Return the rules for MiT as NVIDIA's code names it, below a prefix. mmseg numbers the stages from 0."""

    def rule(theirs: str, ours: str, *change: Callable[[Any], Any]) -> Rule:
        def rename_stage(match: Match) -> str:
            return match.expand(ours.replace('STAGE', str(int(match[1]) - 1)))

        return (prefix + theirs, rename_stage, *change)  # type: ignore[return-value]

    block = r'block([1-4])\.([0-9]+)\.'
    return (
        rule(r'patch_embed([1-4])\.proj\.(.+)', r'backbone.layers.STAGE.0.projection.\2'),
        rule(r'patch_embed([1-4])\.norm\.(.+)', r'backbone.layers.STAGE.0.norm.\2'),
        rule(block + r'(norm[12]|attn\.sr|attn\.norm)\.(.+)', r'backbone.layers.STAGE.1.\2.\3.\4'),
        rule(block + r'attn\.q\.(.+)', r'backbone.layers.STAGE.1.\2.attn.attn.in_proj_\3#0'),
        rule(block + r'attn\.kv\.(.+)', r'backbone.layers.STAGE.1.\2.attn.attn.in_proj_\3#1'),
        rule(block + r'attn\.proj\.(.+)', r'backbone.layers.STAGE.1.\2.attn.attn.out_proj.\3'),
        rule(block + r'mlp\.fc1\.weight', r'backbone.layers.STAGE.1.\2.ffn.layers.0.weight', _as_convolution),
        rule(block + r'mlp\.fc1\.bias', r'backbone.layers.STAGE.1.\2.ffn.layers.0.bias'),
        rule(block + r'mlp\.dwconv\.dwconv\.(.+)', r'backbone.layers.STAGE.1.\2.ffn.layers.1.\3'),
        rule(block + r'mlp\.fc2\.weight', r'backbone.layers.STAGE.1.\2.ffn.layers.4.weight', _as_convolution),
        rule(block + r'mlp\.fc2\.bias', r'backbone.layers.STAGE.1.\2.ffn.layers.4.bias'),
        rule(r'norm([1-4])\.(.+)', r'backbone.layers.STAGE.2.\2'),
    )


MIT: Layout = (*_mit(r'(?:backbone\.)?'), (r'head\..+', None), *OWN)
"""MiT as NVIDIA released it (``mit_b5.pth``). The classifier of ImageNet is left out."""

DAFORMER: Layout = (
    *_mit(r'model\.backbone\.'),
    (r'model\.(backbone|decode_head)\.(.+)', r'\1.\2'),
    (r'(?:.+\.)?(?:ema_model|imnet_model)\..+', None),
)
"""The student of DAFormer, HRDA and MIC. The teacher (``ema_model.``) and the ImageNet copy are left out."""
