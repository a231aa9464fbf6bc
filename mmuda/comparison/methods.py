"""Methods of a comparison. Each is a config."""

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmuda.constants import TARGET_LABELLED
from mmuda.engine.batch_norm_order import NothingToEstimateError, estimated_layers
from mmuda.engine.launch import config_name, load_config, set_precision
from mmuda.engine.target_batch_norm import sample_of
from mmuda.stages import RoundStage, TrainStage, build_stages, make_context, network_config, target_images

STATISTICS = ('stored', 'target')
"""Batch-norm statistics that a network is tested with, as ``tools/test.py --batch-norm`` names them.

``'stored'`` are those of the checkpoint, and ``'target'`` those of the unlabelled target images alone.
"""

BASELINES = ('SourceOnly', 'AdaBN')
"""Registered names of the models that adapt nothing but batch-norm statistics."""


@dataclass
class Method:
    """A config, and the facts about it that a comparison needs.

    Attributes:
        name: Folder and name of the config, such as ``'advent/minicity'``.
        path: The config file.
        cfg: Its content, with the options of the command line.
    """

    name: str
    path: Path
    cfg: Config

    @property
    def staged(self) -> bool:
        """Whether the config lists stages."""
        return self.cfg.get('runner_type') == 'StagedRunner'

    @property
    def kind(self) -> str:
        """Registered name of the model, or '' for a config with stages, which is no baseline."""
        return '' if self.staged else self.cfg.model.type

    @property
    def is_oracle(self) -> bool:
        """Whether source and target are the same images, so that any method gives an upper bound."""
        dataset = self.cfg.get('train_dataloader', {}).get('dataset', {})
        source, target = (_images(dataset.get(domain) or {}) for domain in ('source', 'target'))
        return source is not None and source == target

    @property
    def has_target_labels(self) -> bool:
        """Whether the method also learns labels of target images (``target_labelled``); it is then no baseline."""
        return bool(self.cfg.get('train_dataloader', {}).get('dataset', {}).get(TARGET_LABELLED))

    @property
    def is_source_only(self) -> bool:
        """Whether the method trains on the source alone."""
        return self.kind == BASELINES[0] and self.is_baseline

    @property
    def is_baseline(self) -> bool:
        """Whether batch-norm statistics are all that the method adapts."""
        return self.kind in BASELINES and not self.is_oracle and not self.has_target_labels

    @functools.cached_property
    def stages(self) -> list[TrainStage]:
        """Training stages of a config with stages; empty for another config."""
        init_default_scope(self.cfg.get('default_scope', 'mmseg'))
        return [stage for stage in build_stages(self.cfg) if isinstance(stage, TrainStage)] if self.staged else []

    @functools.cached_property
    def trainings(self) -> list[Config]:
        """Configs of all trainings, in order."""
        if not self.staged:
            return [self.cfg]
        ctx = make_context(self.cfg, build_stages(self.cfg))
        return [stage.config(ctx) for stage in self.stages]

    def iterations(self) -> int | None:
        """Return the iterations of all trainings together; None if the config does not determine them."""
        counts = [training.get('train_cfg', {}).get('max_iters') for training in self.trainings]
        fixed = not any(isinstance(stage, RoundStage) for stage in self.stages)  # a round has a number of passes
        return sum(counts) if fixed and None not in counts else None

    @property
    def target_sample(self) -> int | None:
        """Number of target images that target statistics are estimated on; None for all."""
        return sample_of(network_config(self.cfg))

    @functools.cached_property
    def without_target_statistics(self) -> str:
        """Reason why the network cannot be tested with target statistics; '' if it can."""
        network = network_config(self.cfg)
        init_default_scope(network.get('default_scope', 'mmseg'))
        model = MODELS.build(network.model)  # outside of the try: an error of the config is no such reason
        try:
            estimated_layers(model)
        except NothingToEstimateError as error:
            return str(error)
        try:
            target_images(self.cfg, network)
        except KeyError as error:
            return str(error.args[0])
        return ''


def load_methods(configs: Sequence[str | Path], options: dict[str, Any] | None = None) -> list[Method]:
    """Read the configs to compare.

    Args:
        configs: Config files; each is one method.
        options: ``--cfg-options`` for all of them.

    Raises:
        FileNotFoundError: If there is no such config.
        KeyError: If an option does not exist in one of them.
        ValueError: If two have the same name, or one is not evaluated by :class:`DomainIoUMetric`.
    """
    methods: list[Method] = []
    for path in map(Path, configs):
        name = config_name(path)
        if any(method.name == name for method in methods):
            raise ValueError(f'two configs are called {name}, the second is {path}: give it another name')
        cfg = load_config(path, dict(options or {}))
        evaluator = cfg.get('test_evaluator')
        kind = evaluator.get('type') if isinstance(evaluator, dict) else type(evaluator).__name__
        if kind != 'DomainIoUMetric':
            raise ValueError(
                f"{path}: a comparison reads the results of test_evaluator = dict(type='DomainIoUMetric'), "
                f'but it is {kind!r}'
            )
        methods.append(Method(name, path, cfg))
    return methods


def with_precision(method: Method, precision: str) -> Method:
    """Return a copy of a method that trains under autocast.

    Args:
        method: Method to copy; it stays as it is.
        precision: See :func:`mmuda.engine.launch.set_precision`, which raises ``KeyError`` for some configs.
    """
    cfg = copy.deepcopy(method.cfg)
    set_precision(cfg, precision)
    return replace(method, cfg=cfg)


def _images(dataset: dict) -> tuple[str, str] | None:
    """Return the root and the folder or list of the images of a data set; None if its config does not have both."""
    root, place = dataset.get('data_root'), dataset.get('ann_file') or dataset.get('data_prefix', {}).get('img_path')
    return None if root is None or place is None else (root, place)
