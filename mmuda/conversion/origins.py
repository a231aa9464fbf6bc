"""Code bases whose networks can be converted, with the names of their weights and the configs of their networks."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from mmuda.checkpoints.key_maps import (
    DAFORMER,
    DEEPLAB,
    DEEPLAB_ONE_LEVEL,
    DEEPLAB_ORACLE,
    FADA,
    INITIAL_RESNET,
    MIT,
    RESNET38,
    TORCHVISION_VGG,
    Layout,
)
from mmuda.models.backbones.mit import VARIANTS


class Origin(NamedTuple):
    """A code base.

    Attributes:
        method: Name of the method, for the meta information and for messages.
        layout: Map from its names of weights to ours. Some files need another one, see :meth:`layout_of`.
        configs: Config relative to ``configs/`` by the description of the network, see :func:`describe`.
        networks: Names of its published networks, for the help of the command.
        parts: Names of the state dicts that make up the segmentor, if a file holds several state dicts.
        backbone_only: Whether its files are starting points, whose classifier is left out.
        options: Changes to the config, as ``--cfg-options``, by the description of the network.
    """

    method: str
    layout: Layout
    configs: Mapping[str, str]
    networks: str
    parts: Sequence[str] = ()
    backbone_only: bool = False
    options: Mapping[str, dict[str, Any]] = {}

    def layout_of(self, keys: Iterable[str]) -> Layout:
        """Return the layout of a file with these keys. ``layer5`` has another meaning in the oracle of AdaptSegNet."""
        levels = {key.split('.', 1)[0] for key in keys}
        if self.layout is DEEPLAB and 'layer5' in levels and 'layer6' not in levels:
            return DEEPLAB_ORACLE
        return self.layout

    def config_for(self, network: str, backbone_only: bool) -> str | None:
        """Return the config of a network, or None if there is none.

        Args:
            network: See :func:`describe`.
            backbone_only: Whether only the backbone is converted, so that the number of classes does not matter.
        """
        found = self.configs.get(network)
        if found is None and backbone_only:
            return next((config for words, config in self.configs.items() if words.split()[0] == network), None)
        return found


ORIGINS: dict[str, Origin] = {
    'adaptsegnet': Origin(
        'AdaptSegNet',
        DEEPLAB,
        {
            'resnet 19 aux': 'adaptsegnet/gta2city.py',
            'resnet 16 aux': 'adaptsegnet/synthia2city.py',
            'resnet 19': 'adaptsegnet/oracle.py',
            'vgg 19': 'adaptsegnet/gta2city_vgg16.py',
        },
        'AdaptSegNet: ResNet-101 (multi- or single-level), trained on Cityscapes (oracle), VGG-16',
    ),
    'advent': Origin(
        'ADVENT or IntraDA',
        DEEPLAB,
        {
            'resnet 19 aux': 'advent/gta2city.py',
            'resnet 16 aux': 'advent/synthia2city.py',
            'resnet 19': 'advent/gta2city_single.py',
        },
        'ADVENT, MinEnt and IntraDA: ResNet-101',
    ),
    'cbst': Origin(
        'CBST',
        RESNET38,
        {'resnet38 19': 'cbst/gta2city.py', 'resnet38 16': 'cbst/synthia2city.py'},
        "CBST's ResNet-38 and its ImageNet weights, .params of MXNet",
    ),
    'sim': Origin(
        'SIM', DEEPLAB_ONE_LEVEL, {'resnet 19': 'sim/gta2city.py', 'vgg 19': 'sim/gta2city_vgg16.py'}, 'SIM: ResNet-101'
    ),
    'fada': Origin(
        'FADA',
        FADA,
        {
            'resnet 19': 'fada/gta2city.py',
            'resnet 16': 'fada/synthia2city.py',
            'vgg 19': 'fada/gta2city_vgg16.py',
            'vgg 16': 'fada/synthia2city_vgg16.py',
        },
        'FADA: ResNet-101, VGG-16',
        parts=('feature_extractor', 'classifier'),
    ),
    'sdca': Origin(
        'SDCA',
        FADA,
        {
            'resnet 19': 'sdca/gta2city.py',
            'resnet 16': 'sdca/synthia2city.py',
            'vgg 19': 'sdca/gta2city_vgg16.py',
            'vgg 16': 'sdca/synthia2city_vgg16.py',
        },
        'SDCA: ResNet-101, VGG-16',
        parts=('feature_extractor', 'classifier'),
    ),
    'daformer': Origin(
        'DAFormer, HRDA or MIC',
        DAFORMER,
        {
            'mit-b5 19': '../projects/daformer/configs/gta2city.py',
            'mit-b5 19 hrda': '../projects/hrda/configs/gta2city.py',
        },
        'DAFormer, HRDA and MIC on MiT-B5; the student, as in the papers',
    ),
    'mit': Origin(
        'ImageNet',
        MIT,
        {f'mit-{name}': '../projects/daformer/configs/gta2city.py' for name in VARIANTS},
        "NVIDIA's MiT-B0 to B5 of SegFormer, for init_cfg",
        backbone_only=True,
        options={f'mit-{name}': {'model.segmentor.backbone.variant': name} for name in VARIANTS},
    ),
    'caffe_resnet101': Origin(
        'ImageNet',
        INITIAL_RESNET,
        {'resnet': 'advent/gta2city.py'},
        "ResNet-101 of Caffe, alone or as DeepLab's starting point, for init_cfg",
        backbone_only=True,
    ),
    'torchvision_vgg16': Origin(
        'ImageNet',
        TORCHVISION_VGG,
        {'vgg': 'adaptsegnet/gta2city_vgg16.py'},
        "VGG-16 under torchvision's names, the weights of Caffe among them, for init_cfg",
        backbone_only=True,
    ),
}


def describe(weights: Mapping[str, Tensor]) -> str:
    """Return a description of the network that has these weights, such as ``'resnet 19 aux'`` or ``'mit-b5 19 hrda'``.

    Its words are the backbone, the number of classes, ``aux`` for an auxiliary head, and ``hrda`` for the two
    resolutions of HRDA. Weights without a decode head have no number.

    Args:
        weights: Tensors by the names of mmuda.
    """
    words = [_backbone_of(weights)]
    for key in (
        'decode_head.branches.0.weight',
        'decode_head.conv_seg.weight',
        'decode_head.head.branches.0.weight',
        'decode_head.head.conv_seg.weight',
    ):
        if key in weights:
            words.append(str(weights[key].shape[0] if weights[key].dim() else 0))
    if any(key.startswith('auxiliary_head.') for key in weights):
        words.append('aux')
    if any(key.startswith('decode_head.scale_attention.') for key in weights):
        words.append('hrda')
    return ' '.join(words)


def _backbone_of(weights: Mapping[str, Tensor]) -> str:
    """Return the kind of the backbone; ``'resnet'`` if it is none of the other kinds."""
    if 'backbone.features.0.weight' in weights:
        return 'vgg'
    if 'backbone.conv1a.weight' in weights:
        return 'resnet38'
    blocks = [re.fullmatch(r'backbone\.layers\.([0-3])\.1\.[0-9]+\.norm1\.weight', key) for key in weights]
    depths = Counter(match[1] for match in blocks if match)
    if depths:
        width = len(weights['backbone.layers.0.1.0.norm1.weight'])
        size = width, tuple(depths[stage] for stage in sorted(depths))
        return next((f'mit-{name}' for name, variant in VARIANTS.items() if tuple(variant) == size), 'mit')
    return 'resnet'
