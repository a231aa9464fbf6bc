"""A config of plain mmseg for the network of a config of mmuda."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmseg.registry import MODELS, TRANSFORMS

from mmuda.files import write_atomically

from .standalone import OWN, Extract

PLAIN = dict(AdaptiveEncoderDecoder='EncoderDecoder', LoadDomainImage='LoadImageFromFile')
"""Components of mmuda, with the components of mmseg that predict the same."""

_HEAD = """# {title}
# Needs mmseg alone. From mmseg.apis: init_model('{name}.py', '{weights}').
{imports}default_scope = 'mmseg'
"""
_IMPORTS = """import sys

sys.path.insert(0, '{{ fileDirname }}')  # the parts of the network that mmseg does not have are beside this file
"""


def write_plain_config(cfg: Config, weights: str | Path) -> list[Path]:
    """Write a config of plain mmseg beside published weights; it needs no mmuda.

    Components that mmseg does not have are copied into a module beside the config: the code of their classes, and the
    code of mmuda that these use. The config refers to them by the name of that module. No registry is changed, so mmuda
    and other published networks can be used in the same process.

    Args:
        cfg: Config of the network.
        weights: File of its published weights, ``NAME.pth``.

    Returns:
        The written files: ``NAME.py``, and ``NAME_parts.py`` (with ``_`` for every ``-`` and ``.``) if it is needed.

    Raises:
        ValueError: If the code cannot be copied, see :class:`Extract`.
    """
    weights = Path(weights)
    parts = f'{weights.stem}_parts'.replace('-', '_').replace('.', '_')
    pipeline = [_renamed(step, PLAIN) for step in _prediction_steps(cfg)]
    model = _renamed(cfg.model.segmentor, PLAIN)
    model['data_preprocessor'] = _preprocessor(cfg.model.get('data_preprocessor') or {})
    for part in (model['backbone'], model):
        part.pop('init_cfg', None)  # the published weights are loaded instead of initial ones
        part.pop('pretrained', None)
    extract, own = Extract(), {}
    for registry, tree in ((MODELS, model), (TRANSFORMS, pipeline)):
        for name in dict.fromkeys(_types(tree)):
            component = registry.get(name)
            if component.__module__.split('.')[0] in OWN:
                extract.add(component)
                own[name] = f'{parts}.{component.__name__}'
    model, pipeline = _renamed(model, own), _renamed(pipeline, own)
    title = f'The network of {weights.name}'
    text = Config(
        dict(
            model=model,
            test_pipeline=pipeline,
            test_dataloader=dict(dataset=dict(type='BaseSegDataset', pipeline=pipeline)),
            visualizer=dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer'),
        )
    ).pretty_text
    imports = _IMPORTS if own else ''
    head = _HEAD.format(title=title, name=weights.stem, weights=weights.name, imports=imports)
    written = [weights.with_suffix('.py')]
    if own:
        written.append(weights.with_name(f'{parts}.py'))
        write_atomically(written[1], extract.text(f'Parts of the network of {weights.name}, from mmuda.').encode())
    write_atomically(written[0], (head + text).encode())
    return written


def _prediction_steps(cfg: Config) -> list[dict]:
    """Return the test pipeline without the loading of labels."""
    return [step for step in cfg.test_dataloader.dataset.pipeline if 'Annotation' not in step['type']]


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    """Return a copy of a config with the names of components replaced."""
    if isinstance(node, dict):
        return {
            key: names.get(value, value) if key == 'type' and isinstance(value, str) else _renamed(value, names)
            for key, value in node.items()
        }
    return [_renamed(value, names) for value in node] if isinstance(node, (list, tuple)) else node


def _preprocessor(cfg: dict) -> dict:
    """Return the config of mmseg's preprocessor for the same test images, without the padding of training images."""
    left_out = ('type', 'size', 'size_divisor', 'source', 'target')
    kept = {key: value for key, value in _renamed(cfg, PLAIN).items() if key not in left_out}
    # Images without a domain are normalised as target images.
    return dict(type='SegDataPreProcessor', **{**kept, **(cfg.get('target') or {})})


def _types(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get('type'), str):
            yield node['type']
        for value in node.values():
            yield from _types(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _types(value)
