"""Conversion of a checkpoint of an original implementation to a plain mmseg checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from torch import Tensor, nn

from mmuda.checkpoints import weights_meta, write_checkpoint
from mmuda.checkpoints.states import weight_problems, with_counters
from mmuda.engine.launch import load_config
from mmuda.files import file_digest
from mmuda.models.building import build_without_memory
from mmuda.stages import network_config
from mmuda.version import __version__

from .originals import read_original
from .origins import ORIGINS, Origin, describe


class Converted(NamedTuple):
    """Result of a conversion.

    Attributes:
        path: The file that was written.
        config: Config of the network.
        meta: Meta information in the written file.
        left_out: Keys of the original file that no segmentor of mmuda has.
        backbone_only: Whether the file is a starting point, without a classifier.
    """

    path: Path
    config: Path
    meta: dict[str, Any]
    left_out: list[str]
    backbone_only: bool


def convert(
    origin: str,
    source: str | Path,
    output: str | Path,
    configs: str | Path,
    config: str | Path | None = None,
    trust: bool = False,
    backbone_only: bool = False,
) -> Converted:
    """Convert a checkpoint of an original implementation to a plain mmseg checkpoint.

    The file is written only if the original has exactly the weights of the config's network, with the same shapes. The
    meta information has ``origin``, ``method``, ``classes``, ``palette`` (also as mmseg's ``dataset_meta``), and the
    facts about the network that its keys do not show, see :mod:`mmuda.checkpoints.weights_meta`.

    Args:
        origin: A key of :data:`ORIGINS`.
        source: File of the original implementation, ``.pth`` or MXNet's ``.params``.
        output: File to write; it is written whole or not at all.
        configs: Folder of the shipped configs.
        config: Config of the network; by default the config of the origin for the network in the file.
        trust: Whether to allow full unpickling.
        backbone_only: Whether to leave the classifier out. The result is a starting point, for ``init_cfg``.

    Returns:
        The written file and facts about it.

    Raises:
        FileNotFoundError: If ``source`` does not exist.
        RuntimeError: If weights are missing, unexpected, of another shape or type, or not finite (the message lists
            all), if the file is not a checkpoint of the origin, if the origin has no config for the network, or if
            ``output`` is a folder or the same file.
        UntrustedCheckpoint: If the file needs full unpickling and ``trust`` is False.
        ParamsError: If a file of MXNet is damaged.
    """
    kind, source, output = ORIGINS[origin], Path(source), Path(output)
    _check_paths(source, output)
    original = read_original(kind, source, trust)
    backbone_only = backbone_only or kind.backbone_only or original.is_starting_point
    if backbone_only:
        original = original.without_heads()
    options: Mapping[str, Any] = {}
    if config is None:
        network = describe(original.weights)
        config = (Path(configs) / _choose_config(kind, network, source, backbone_only)).resolve()
        options = kind.options.get(network, {})
    config = Path(config)
    cfg = _whole_config(config, options)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    segmentor = build_without_memory(cfg.model.segmentor)
    expected = _backbone_state(segmentor) if backbone_only else segmentor.state_dict()
    weights = _fit(original.weights, expected, kind, source, config)
    _check_finite(weights, source)
    meta = _meta(origin, kind, source, config, cfg)
    if not backbone_only:
        _check_classes(segmentor, meta['classes'], config)
        meta.update(weights_meta(segmentor))
    write_checkpoint(output, dict(meta=meta, state_dict=weights))
    return Converted(output, config, meta, original.left_out, backbone_only)


def _check_paths(source: Path, output: Path) -> None:
    if not source.is_file():
        raise FileNotFoundError(f'{source} is no file: name the one to convert')
    if output.is_dir():
        raise RuntimeError(f'{output} is a folder: name the file to write')
    if output.exists() and output.samefile(source):
        raise RuntimeError(f'{output} is the file that is converted: write to another one')


def _choose_config(kind: Origin, network: str, source: Path, backbone_only: bool) -> str:
    config = kind.config_for(network, backbone_only)
    if config is None:
        raise RuntimeError(
            f'{source} holds a network ({network}) that no config of {kind.method} has; known are '
            f'{", ".join(kind.configs)}. Is it a file of {kind.method}? Otherwise name its config with --config '
            '(for another number of classes one that inherits from the config of the same network)'
        )
    return config


def _whole_config(config: Path, options: Mapping[str, Any]) -> Config:
    cfg = network_config(load_config(config, dict(options)))
    if 'segmentor' not in cfg.get('model', {}) or 'dataset' not in cfg.get('test_dataloader', {}):
        raise RuntimeError(
            f'{config} has no model.segmentor, or no test_dataloader.dataset: --config names a whole config'
        )
    return cfg


def _backbone_state(segmentor: nn.Module) -> dict[str, Tensor]:
    """Return the weights of the backbone without the parts that a starting point lacks (``NOT_PRETRAINED``)."""
    fresh = tuple(f'backbone.{name}' for name in getattr(segmentor.backbone, 'NOT_PRETRAINED', ()))
    return {
        key: value
        for key, value in segmentor.state_dict().items()
        if key.startswith('backbone.') and not key.startswith(fresh)
    }


def _fit(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], kind: Origin, source: Path, config: Path
) -> dict[str, Tensor]:
    """Return the weights in the order and with the types of the network; half precision is widened.

    Raises:
        RuntimeError: If the weights do not fit the network; the message lists all problems.
    """
    weights = with_counters(weights, expected)
    problems = weight_problems(expected, weights)
    if problems:
        raise RuntimeError(
            f'{source} is no checkpoint of {kind.method} for {config}:\n{problems}\n'
            'Choose the converter of its origin, or name the config of its network with --config; '
            '--backbone-only converts the backbone alone'
        )
    return {key: weights[key].to(value.dtype).contiguous() for key, value in expected.items()}


def _check_finite(weights: Mapping[str, Tensor], source: Path) -> None:
    broken = [key for key, value in weights.items() if not value.isfinite().all()]
    if broken:
        raise RuntimeError(
            f'{source} holds weights that are infinite or not a number: {", ".join(broken)}. It is damaged, or its '
            'training failed: copy or download it again'
        )


def _check_classes(segmentor: nn.Module, classes: list[str], config: Path) -> None:
    if segmentor.num_classes != len(classes):
        raise RuntimeError(
            f'{config} has a network of {segmentor.num_classes} classes and a data set of {len(classes)}: list the '
            'classes of the network in test_dataloader.dataset.metainfo.classes'
        )


def _short_name(config: Path) -> str:
    """Return ``method/config.py``, or ``projects/method/configs/config.py``."""
    *_, projects, method, folder, name = ('', '', *config.resolve().parts)
    if projects == 'projects' and folder == 'configs':
        return f'{projects}/{method}/{folder}/{name}'
    return f'{folder}/{name}'


def _meta(origin: str, kind: Origin, source: Path, config: Path, cfg: Config) -> dict[str, Any]:
    dataset = cfg.test_dataloader.dataset
    all_classes = DATASETS.get(dataset.type).METAINFO
    colors = dict(zip(all_classes['classes'], all_classes['palette'], strict=True))
    classes = list(dataset.get('metainfo', {}).get('classes', all_classes['classes']))
    palette = [list(colors[name]) for name in classes]
    return dict(
        origin=origin,
        method=kind.method,
        source=source.name,
        source_sha256=file_digest(source),
        fits=_short_name(config),
        classes=classes,
        palette=palette,
        dataset_meta=dict(classes=classes, palette=palette),
        mmuda_version=__version__,
    )
