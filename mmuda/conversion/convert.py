"""Checkpoints of the original implementations as plain mmseg checkpoints."""

import argparse
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from torch import Tensor, nn

from mmuda.checkpoints.key_maps import (
    DEEPLAB,
    DEEPLAB_ONE_LEVEL,
    DEEPLAB_ORACLE,
    FADA,
    INITIAL_RESNET,
    RESNET38,
    TORCHVISION_VGG,
    Layout,
    rename,
)
from mmuda.checkpoints.loading import summed_branches
from mmuda.checkpoints.reading import UntrustedCheckpoint, read_checkpoint
from mmuda.checkpoints.states import plain_state, weight_problems, with_counters
from mmuda.engine.launch import load_config
from mmuda.files import write_atomically
from mmuda.stages import network_config
from mmuda.version import __version__

from .mxnet_params import MAGIC, read_params

TRUST = (
    '--trust reads it all the same: that runs whatever code somebody put into the file, with your rights. Say so '
    'only if you know where the file comes from.'
)


class Origin(NamedTuple):
    """Whose checkpoints they are.

    Attributes:
        method: Name of the method, for the meta information.
        layout: How the original names its weights.
        configs: Config below ``configs/`` by a description of the network, see :func:`describe`.
        parts: Of a file that holds several state dicts: those that make up the segmentor.
        only_backbone: It is a starting point, whose classifier is left out.
    """

    method: str
    layout: Layout
    configs: Mapping[str, str]
    parts: Sequence[str] = ()
    only_backbone: bool = False


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
    ),
    'advent': Origin(
        'ADVENT or IntraDA',
        DEEPLAB,
        {
            'resnet 19 aux': 'advent/gta2city.py',
            'resnet 16 aux': 'advent/synthia2city.py',
            'resnet 19': 'advent/gta2city_single.py',
        },
    ),
    'cbst': Origin('CBST', RESNET38, {'resnet38 19': 'cbst/gta2city.py', 'resnet38 16': 'cbst/synthia2city.py'}),
    'sim': Origin('SIM', DEEPLAB_ONE_LEVEL, {'resnet 19': 'sim/gta2city.py', 'vgg 19': 'sim/gta2city_vgg16.py'}),
    'fada': Origin(
        'FADA',
        FADA,
        {
            'resnet 19': 'fada/gta2city.py',
            'resnet 16': 'fada/synthia2city.py',
            'vgg 19': 'fada/gta2city_vgg16.py',
            'vgg 16': 'fada/synthia2city_vgg16.py',
        },
        ('feature_extractor', 'classifier'),
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
        ('feature_extractor', 'classifier'),
    ),
    'caffe_resnet101': Origin('ImageNet', INITIAL_RESNET, {'resnet': 'advent/gta2city.py'}, only_backbone=True),
    'torchvision_vgg16': Origin(
        'ImageNet', TORCHVISION_VGG, {'vgg': 'adaptsegnet/gta2city_vgg16.py'}, only_backbone=True
    ),
}


class Converted(NamedTuple):
    """What became of a file.

    Attributes:
        path: The file that was written.
        config: The config that it fits.
        meta: Its meta information.
        left_out: Keys of the original that have no place in a segmentor.
    """

    path: Path
    config: Path
    meta: dict[str, Any]
    left_out: list[str]


def convert(
    origin: str,
    source: str | Path,
    output: str | Path,
    configs: str | Path,
    config: str | Path | None = None,
    trust: bool = False,
    backbone_only: bool = False,
) -> Converted:
    """Write a plain mmseg checkpoint of a checkpoint that an original implementation wrote.

    Nothing is written unless every weight of the config's network is found with its shape, and nothing else.
    The meta information says ``origin``, ``method``, ``classes``, ``palette`` (also as mmseg's ``dataset_meta``) and
    ``summed_branches``: which branches of each DeepLabV2 head are added, which keys do not tell.

    Args:
        origin: A key of :data:`ORIGINS`.
        source: The original's file, ``.pth`` or MXNet's ``.params``.
        output: File to write, whole or not at all.
        configs: Folder of the shipped configs.
        config: Config whose network it is; by default the origin's for what the file holds.
        trust: Allow full unpickling.
        backbone_only: Leave the classifier out, whatever its classes; the result is a starting point (``init_cfg``).

    Raises:
        FileNotFoundError: If there is no such file.
        RuntimeError: With every missing, unexpected, mis-shaped and mistyped key, or every one with infinite values; or
            if the file is refused, no checkpoint, or of a network that the origin has no config for.
    """
    kind = ORIGINS[origin]
    if not Path(source).is_file():
        raise FileNotFoundError(f'{source} is no file: name the one to convert')
    if Path(output).is_dir():
        raise RuntimeError(f'{output} is a folder: name the file to write')
    if Path(output).exists() and Path(output).samefile(source):
        raise RuntimeError(f'{output} is the file that is converted: write to another one')
    weights, left_out = _read(kind, Path(source), trust)
    only_backbone = backbone_only or kind.only_backbone or _is_starting_point(weights, left_out)
    if only_backbone:
        heads = [key for key in weights if key.startswith(('decode_head.', 'auxiliary_head.'))]
        left_out += heads
        weights = {key: value for key, value in weights.items() if key not in heads}
    if not any(key.startswith('backbone.') for key in weights):
        some = ', '.join(list(weights)[:5]) or 'none'
        raise RuntimeError(
            f'{source} has no key of a checkpoint of {kind.method}; it has {some} ...: choose the converter of its '
            'origin'
        )
    network = describe(weights)
    if config is None:
        config = kind.configs.get(network)
        if only_backbone and config is None:
            config = next((path for words, path in kind.configs.items() if words.split()[0] == network), None)
        if config is None:
            raise RuntimeError(
                f'{source} holds a network ({network}) that no config of {kind.method} has; known are '
                f'{", ".join(kind.configs)}. Is it a file of {kind.method}? Otherwise name its config with --config '
                '(for another number of classes one that inherits from the config of the same network)'
            )
        config = Path(configs) / config
    cfg = network_config(load_config(config))
    if 'segmentor' not in cfg.get('model', {}) or 'dataset' not in cfg.get('test_dataloader', {}):
        raise RuntimeError(
            f'{config} has no model.segmentor, or no test_dataloader.dataset: --config names a whole config'
        )
    segmentor = _network(cfg)
    expected = segmentor.state_dict()
    if only_backbone:
        fresh = tuple(f'backbone.{name}' for name in getattr(segmentor.backbone, 'NOT_PRETRAINED', ()))
        expected = {
            key: value for key, value in expected.items() if key.startswith('backbone.') and not key.startswith(fresh)
        }
    weights = with_counters(weights, expected)
    problems = weight_problems(expected, weights)
    if problems:
        raise RuntimeError(
            f'{source} is no checkpoint of {kind.method} for {config}:\n{problems}\n'
            'Choose the converter of its origin, or name the config of its network with --config; '
            '--backbone-only converts the trunk alone'
        )
    # Networks that were trained in half precision are used in full.
    weights = {key: value.to(expected[key].dtype) for key, value in weights.items()}
    broken = [key for key, value in weights.items() if not value.isfinite().all()]
    if broken:
        raise RuntimeError(
            f'{source} holds weights that are infinite or not a number: {", ".join(broken)}. It is damaged, or its '
            'training failed: copy or download it again'
        )
    meta = _meta(origin, kind, Path(source), Path(config), cfg)
    if not only_backbone:
        if segmentor.num_classes != len(meta['classes']):
            raise RuntimeError(
                f'{config} has a network of {segmentor.num_classes} classes and a data set of {len(meta["classes"])}: '
                'name '
                "the network's in test_dataloader.dataset.metainfo.classes"
            )
        meta['summed_branches'] = summed_branches(segmentor)
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict={key: weights[key].contiguous() for key in expected}), buffer)
    write_atomically(output, buffer.getvalue())
    return Converted(Path(output), Path(config), meta, left_out)


def describe(weights: Mapping[str, Tensor]) -> str:
    """What network weights under our names belong to, in words: trunk, number of classes, auxiliary head.

    ``'resnet 19 aux'`` is a ResNet with two heads for 19 classes.
    """
    trunk = (
        'vgg'
        if 'backbone.features.0.weight' in weights
        else 'resnet38'
        if 'backbone.conv1a.weight' in weights
        else 'resnet'
    )
    words = [trunk]
    for key in ('decode_head.branches.0.weight', 'decode_head.conv_seg.weight'):
        if key in weights:
            words.append(str(weights[key].shape[0] if weights[key].dim() else 0))
    if any(key.startswith('auxiliary_head.') for key in weights):
        words.append('aux')
    return ' '.join(words)


def _read(kind: Origin, path: Path, trust: bool) -> tuple[dict[str, Tensor], list[str]]:
    """The weights of a file under our names, and what was left out."""
    if _is_params(path):
        content: Any = {key: torch.from_numpy(np.atleast_1d(value)) for key, value in read_params(path).items()}
    else:
        try:
            content = read_checkpoint(path, trust=trust)
        except UntrustedCheckpoint as error:
            raise UntrustedCheckpoint(f'{error} {TRUST}') from None
    ignored: list[str] = []
    if not isinstance(content, Mapping):
        raise RuntimeError(f'{path} holds a {type(content).__name__}, not the weights of a network')
    if kind.parts:
        missing = [part for part in kind.parts if not isinstance(content.get(part), Mapping)]
        if missing:
            some = ', '.join(map(str, list(content)[:5])) or 'nothing'
            raise RuntimeError(
                f'{path} has no {" and no ".join(missing)}: a checkpoint of {kind.method} is a dict with '
                f'{" and ".join(kind.parts)}; this one has {some}{" ..." if len(content) > 5 else ""}'
            )
        ignored = sorted(str(key) for key in content if key not in kind.parts)
        content = {
            f'{part}.{key}': value
            for part in kind.parts
            for key, value in plain_state(content[part], str(path)).items()
        }
    else:
        content = plain_state(content, str(path))
    liars = [f'{key} {tuple(value.shape)}' for key, value in content.items() if _claims_other_classes(key, value)]
    if liars:
        raise RuntimeError(
            f'{path}: {", ".join(liars)} should have as many rows as its name says: the file is damaged or was edited'
        )
    layout = kind.layout
    if layout is DEEPLAB and not any(key.startswith('layer6.') for key in content):
        layout = DEEPLAB_ORACLE if any(key.startswith('layer5.') for key in content) else layout
    try:
        weights, left_out = rename(content, layout)
    except ValueError as error:
        raise RuntimeError(f'{path}: {error}') from error
    return weights, ignored + left_out


def _claims_other_classes(key: str, value: Tensor) -> bool:
    """Whether a score layer of ResNet-38, ``linear19_weight``, has another number of classes than it is called by."""
    match = re.fullmatch(r'arg:linear([0-9]+)_(weight|bias)', key)
    return match is not None and value.shape[:1] != (int(match[1]),)


def _is_starting_point(weights: Mapping[str, Tensor], left_out: Sequence[str]) -> bool:
    """Whether a file of ResNet-38 has the classifier of ImageNet, and no other one."""
    return 'arg:linear1000_weight' in left_out and not any(key.startswith('decode_head.') for key in weights)


def _is_params(path: Path) -> bool:
    """Whether a file begins as MXNet's do, whatever its name."""
    with open(path, 'rb') as file:
        return file.read(8) == MAGIC.to_bytes(8, 'little')


def _network(cfg: Config) -> nn.Module:
    """The segmentor of a config, without memory for its weights."""
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    with torch.device('meta'):
        return MODELS.build(cfg.model.segmentor)


def _meta(origin: str, kind: Origin, source: Path, config: Path, cfg: Config) -> dict[str, Any]:
    dataset = cfg.test_dataloader.dataset
    all_classes = DATASETS.get(dataset.type).METAINFO
    colours = dict(zip(all_classes['classes'], all_classes['palette'], strict=True))
    classes = list(dataset.get('metainfo', {}).get('classes', all_classes['classes']))
    palette = [list(colours[name]) for name in classes]
    with open(source, 'rb') as file:
        digest = hashlib.file_digest(file, 'sha256') if hasattr(hashlib, 'file_digest') else hashlib.sha256(file.read())
    return dict(
        origin=origin,
        method=kind.method,
        source=source.name,
        source_sha256=digest.hexdigest(),
        fits=f'{config.parent.name}/{config.name}',
        classes=classes,
        palette=palette,
        dataset_meta=dict(classes=classes, palette=palette),
        mmuda_version=__version__,
    )


def run_converter(origin: str, description: str, configs: Path) -> None:
    """The command line of one origin."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', help='the original file')
    parser.add_argument('output', help='checkpoint to write')
    parser.add_argument('--config', help='config whose network it is (default: chosen by what the file holds)')
    parser.add_argument(
        '--backbone-only', action='store_true', help='leave the classifier out: a starting point for init_cfg'
    )
    parser.add_argument(
        '--trust', action='store_true', help='unpickle whatever is in the file: runs any code that somebody put there'
    )
    args = parser.parse_args()
    try:
        done = convert(origin, args.source, args.output, configs, args.config, args.trust, args.backbone_only)
    except (RuntimeError, OSError, ValueError) as error:
        parser.exit(1, f'{error}\n')
    if done.left_out:
        print(f'left out: {", ".join(done.left_out[:10])}{" ..." if len(done.left_out) > 10 else ""}')
    what = f'{len(done.meta["classes"])} classes' if 'summed_branches' in done.meta else 'the trunk alone, for init_cfg'
    print(f'{done.path}: {done.meta["method"]}, {what}, fits {done.config}')
