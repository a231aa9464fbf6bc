"""From the command line to a runner: config, options, work directory."""

import difflib
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmseg.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS

from mmuda.internals import RUNNER_ARGUMENTS
from mmuda.metafile import paper_of
from mmuda.registry import LABEL_STRATEGIES, SOURCE_ORDERS, STAGES

from .config_files import check_pasted_variables

REGISTRIES = (MODELS, DATASETS, TRANSFORMS, METRICS, HOOKS, DATA_SAMPLERS, STAGES, LABEL_STRATEGIES, SOURCE_ORDERS)

LIVE_KEYS = {
    *RUNNER_ARGUMENTS,
    'runner_type',
    'resume_allow',
    'test_ensemble',
    'tta_model',
    'tta_pipeline',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
    'compile',
    'memory_format',
    'activation_checkpointing',
    'efficient_conv_bn_eval',
    'stages',
    'target_statistics',
} - {'cfg', 'data_preprocessor'}  # our models contain their preprocessor
"""Top-level keys that are read. All others are variables of a config file, without effect after it was parsed."""


def load_config(filename: str | Path, options: dict[str, Any] | None = None, work_dir: str | None = None) -> Config:
    """Read a config, apply ``--cfg-options``, and set the work directory and the figures of its paper.

    Args:
        filename: A config file.
        options: Dotted keys and values. A key that does not exist is an error; a leading ``+`` adds a new key.
        work_dir: Work directory, in place of that of the config. The default is ``work_dirs/<folder of the config, or
            project>/<its name>``.

    Raises:
        FileNotFoundError: If the file does not exist.
        KeyError: If a key does not exist, or has no effect.
        ValueError: If a file is no valid Python, or pastes a harmful environment variable, see
            :func:`check_pasted_variables`.
    """
    path = Path(filename)
    if not path.is_file():
        raise FileNotFoundError(f'config {path} does not exist: check the path')
    find_plug_ins(path)
    check_pasted_variables(path)
    cfg = Config.fromfile(path)
    for metric in metrics_with(cfg.get('test_evaluator'), 'paper'):
        metric.setdefault('paper', paper_of(path))
    apply_options(cfg, options or {})
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', *config_name(path).split('/'))
    return cfg


def metrics_with(evaluator: Any, argument: str) -> list[dict]:
    """Return the configs of the metrics of an evaluator that take an argument, such as ``json_file``.

    Args:
        evaluator: ``val_evaluator`` or ``test_evaluator``: a metric, a list of them, or None.
        argument: Name of an argument.
    """
    metrics = evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]
    return [metric for metric in metrics if isinstance(metric, dict) and argument in _defaults(metric)]


def config_name(filename: str | Path) -> str:
    """Return the name of a config, such as ``advent/gta2city``: its folder, or its project, and its own name."""
    path = Path(filename).resolve()
    folder = path.parent.parent if path.parent.name == 'configs' else path.parent  # projects/NAME/configs/x.py
    return f'{folder.name}/{path.stem}'


def find_plug_ins(config: Path) -> None:
    """Make packages of plug-ins, such as ``projects.daformer``, importable for ``custom_imports`` of a config.

    The package ``projects`` is looked for first in the copy of mmuda that contains the config, if the config is in a
    folder ``projects/``, and then in the current folder. The two can be different copies of mmuda, such as a checkout
    and an installation. A process reads the plug-ins of one copy only.

    Args:
        config: Config file.
    """
    path = config.resolve()
    # ROOT/projects/NAME/configs/x.py, or deeper
    roots = [parent.parent for parent in path.parents if parent.name == 'projects']
    for root in (*roots[:1], Path.cwd()):
        if str(root) not in sys.path:
            sys.path.append(str(root))


def apply_options(cfg: Config, options: dict[str, Any]) -> None:
    """Override keys of a config. mmengine would silently accept misspelt keys.

    A key can be missing in the config if it is a parameter of the component at its place.

    Raises:
        KeyError: If a key does not exist, or has no effect. The message names the part that does not exist, and the
            keys that do.
    """
    for key in options:
        new, plain = key.startswith('+'), key.lstrip('+')
        parts = plain.split('.')
        if parts[0] in cfg and parts[0] not in LIVE_KEYS and parts[0] not in cfg.get('stages', ()):
            raise KeyError(
                f'--cfg-options {key}: {parts[0]!r} is a variable of the config file. Its value was used when the '
                'file was read, so setting it now has no effect. Set the keys that got its value or, for data roots, '
                'the environment variable that the file names.'
            )
        if not new:
            _check_exists(cfg, key, parts)
    cfg.merge_from_dict({key.lstrip('+'): value for key, value in options.items()})


def _check_exists(cfg: Config, key: str, parts: list[str]) -> None:
    node: Any = dict(cfg.items())
    for depth, part in enumerate(parts):
        known, defaults = _keys(node), _defaults(node)
        if part not in known and part not in defaults:
            place = '.'.join(parts[:depth]) or 'the config'
            names = dict.fromkeys([*known, *defaults])
            close = [] if part.isdigit() else difflib.get_close_matches(part, names, n=3)
            listed = [name for name in names if depth or name in LIVE_KEYS]  # without variables of the file
            hint = f'did you mean {" or ".join(close)}?' if close else f'it has {", ".join(listed) or "no keys"}.'
            raise KeyError(
                f'--cfg-options {key}: {part!r} does not exist in {place}; {hint} To add it on purpose, write '
                f'+{key}=...'
            )
        if part not in known:
            node = defaults[part]
            if node is None:
                return  # the value is a parameter without a known default: keys in it cannot be checked
        else:
            node = node[int(part)] if isinstance(node, (list, tuple)) else node[part]
            if isinstance(node, dict):
                node = {**(defaults.get(part) or {}), **node}


def _keys(node: Any) -> list[str]:
    if isinstance(node, (list, tuple)):
        return [str(i) for i in range(len(node))]
    return list(node) if isinstance(node, dict) else []


def _defaults(node: Any) -> dict[str, Any]:
    """Return the parameters of the component that a part of a config describes. The config can omit them.

    Parameters of a base class count if the component passes its keyword arguments on. The value of ``loss_weights`` is
    the default of the method; all other values are None.
    """
    name = node.get('type') if isinstance(node, dict) else None
    component = next((known for registry in REGISTRIES if name and (known := registry.get(name))), None)
    found: dict[str, Any] = {}
    for kind in inspect.getmro(component) if inspect.isclass(component) else ():
        if '__init__' not in vars(kind):
            continue
        parameters = inspect.signature(vars(kind)['__init__']).parameters.values()
        named = (one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY))
        found.update(dict.fromkeys(named))
        if not any(one.kind is one.VAR_KEYWORD for one in parameters):
            break
    found.pop('self', None)
    if 'loss_weights' in found:
        weights = (getattr(component, name, {}) for name in ('SHARED_LOSS_WEIGHTS', 'LOSS_WEIGHTS'))
        found['loss_weights'] = {key: value for known in weights for key, value in known.items()}
    return found


def set_precision(cfg: Config, precision: str) -> None:
    """Set the precision of the training under autocast (``--amp``).

    Raises:
        KeyError: If the optimizers of the config have another constructor than those of an adaptor.
    """
    if cfg.get('optim_wrapper', {}).get('constructor') != 'PerModuleOptimWrapperConstructor':
        raise KeyError(
            "--amp sets optim_wrapper.precision of 'PerModuleOptimWrapperConstructor', but this config has "
            f'{cfg.get("optim_wrapper", {}).get("constructor")!r}'
        )
    cfg.optim_wrapper.precision = precision


def build_runner(cfg: Config) -> Runner:
    """Return the runner that ``runner_type`` names; without it, mmengine's runner."""
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def use_tta(cfg: Config) -> None:
    """Average predictions with those of the mirrored image (``--tta``). A flip before the label loader is inserted.

    A config can have its own ``tta_model`` and ``tta_pipeline``.

    Raises:
        ValueError: If the segmentor mirrors images itself, or the pipeline does not begin by loading an image.
    """
    check_mirrored_once(cfg.model['models'][0] if 'models' in cfg.model else cfg.model)  # all of an ensemble are alike
    if cfg.get('tta_pipeline') is None:
        cfg.tta_pipeline = mirrored_pipeline(cfg.test_dataloader.dataset.pipeline)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.model = ConfigDict(**cfg.get('tta_model', dict(type='MeanProbabilityTTA')), module=cfg.model)


def check_mirrored_once(model: dict) -> None:
    """Refuse test-time augmentation with the mirrored image for a network that mirrors images itself.

    Args:
        model: Config of an adaptor or a segmentor.

    Raises:
        ValueError: If the segmentor mirrors images itself.
    """
    segmentor = model.get('segmentor', model)
    if segmentor.get('flip', segmentor.get('type') == 'BicubicEncoderDecoder'):
        raise ValueError(
            f'--tta averages with the mirrored image, which {segmentor["type"]} of this config does already: '
            'leave --tta out'
        )


def mirrored_pipeline(pipeline: list[dict], scales: Sequence[float] = (1.0,), mirror: bool = True) -> list[dict]:
    """Return a test pipeline that returns each image as it is and mirrored. Labels are loaded later and not mirrored.

    Args:
        pipeline: The test pipeline; it begins by loading an image.
        scales: Factors of the image size of the pipeline. Each image is returned at every scale.
        mirror: Whether to return mirrored images, too.

    Raises:
        ValueError: If the pipeline does not begin by loading an image.
    """
    load, *steps = pipeline
    if not load['type'].startswith('Load'):
        raise ValueError(f'--tta needs a test pipeline that begins with loading an image, not with {load["type"]}')
    sizes = [dict(type='Resize', scale_factor=float(scale)) for scale in scales]
    flips = [dict(type='RandomFlip', prob=prob, direction='horizontal') for prob in (0.0, 1.0)]
    branches = [branch for branch, wanted in ((sizes, list(scales) != [1.0]), (flips, mirror)) if wanted]
    place = next(i for i, step in enumerate(steps) if 'Annotations' in step['type'] or step['type'].startswith('Pack'))
    transforms = [[step] for step in steps]
    return [load, dict(type='TestTimeAug', transforms=[*transforms[:place], *branches, *transforms[place:]])]
