"""A config of plain mmseg for the network of a config of mmuda."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmseg.registry import MODELS, TRANSFORMS

from mmuda.files import write_atomically

from .standalone import OWN, Extract

PLAIN = dict(AdaptiveEncoderDecoder='EncoderDecoder', LoadDomainImage='LoadImageFromFile')
"""Names of components of mmseg that predict the same."""

_HEAD = """# {title}
# Needs mmseg alone. From mmseg.apis: init_model('{name}.py', '{weights}').
{imports}default_scope = 'mmseg'
"""
_IMPORTS = """import sys

sys.path.insert(0, '{{{{ fileDirname }}}}')  # the parts of the network that mmseg does not have are beside this file
custom_imports = dict(imports=['{parts}'], allow_failed_imports=False)
"""


def write_plain_config(cfg: Config, weights: str | Path) -> list[Path]:
    """Write a config of plain mmseg beside published weights; it needs no mmuda.

    Components that mmseg does not have are taken along, as one module beside it: the code of their classes, and of what
    these use.

    Args:
        cfg: Config of the network.
        weights: File of its published weights, ``NAME.pth``.

    Returns:
        The files: ``NAME.py``, and ``NAME_parts.py`` (with ``_`` for every ``-`` and ``.``) if it is needed.

    Raises:
        ValueError: If the code cannot be taken along.
    """
    weights = Path(weights)
    pipeline = [_plain(step) for step in _prediction_steps(cfg)]
    model = _plain(cfg.model.segmentor)
    model['data_preprocessor'] = _preprocessor(cfg.model.get('data_preprocessor') or {})
    for part in (model['backbone'], model):
        part.pop('init_cfg', None)  # the weights are beside it
        part.pop('pretrained', None)
    extract, found = Extract(), False
    for registry, tree in ((MODELS, model), (TRANSFORMS, pipeline)):
        for name in dict.fromkeys(_types(tree)):
            component = registry.get(name)
            if component is not None and component.__module__.split('.')[0] in OWN:
                extract.add(component)
                found = True
    title = f'The network of {weights.name}'
    parts = f'{weights.stem}_parts'.replace('-', '_').replace('.', '_')
    text = Config(
        dict(
            model=model,
            test_pipeline=pipeline,
            test_dataloader=dict(dataset=dict(type='BaseSegDataset', pipeline=pipeline)),
            visualizer=dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer'),
        )
    ).pretty_text
    imports = _IMPORTS.format(parts=parts) if found else ''
    head = _HEAD.format(title=title, name=weights.stem, weights=weights.name, imports=imports)
    written = [weights.with_suffix('.py')]
    if found:
        written.append(weights.with_name(f'{parts}.py'))
        write_atomically(written[1], extract.text(f'Parts of the network of {weights.name}, from mmuda.').encode())
    write_atomically(written[0], (head + text).encode())
    return written


def _prediction_steps(cfg: Config) -> list[dict]:
    """Return the test pipeline without the loading of labels."""
    return [step for step in cfg.test_dataloader.dataset.pipeline if 'Annotation' not in step['type']]


def _plain(node: Any) -> Any:
    """Return a copy of a config with the names of plain mmseg."""
    if isinstance(node, dict):
        return {key: PLAIN.get(value, value) if key == 'type' else _plain(value) for key, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, (list, tuple)) else node


def _preprocessor(cfg: dict) -> dict:
    """Return mmseg's preprocessor that treats test images alike; padding of training images has no meaning there."""
    kept = {key: value for key, value in _plain(cfg).items() if key not in ('type', 'size', 'size_divisor')}
    return dict(type='SegDataPreProcessor', **kept)


def _types(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get('type'), str):
            yield node['type']
        for value in node.values():
            yield from _types(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _types(value)
