"""One training of every registered method at reduced size on random images."""

from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from shipped import reduced, trainings
from toolbox import CONFIGS, side

from mmuda.engine import AdaptorOptimWrapperDict, PerModuleOptimWrapperConstructor
from mmuda.models import BaseAdaptor

PROJECTS = CONFIGS.parent / 'projects'
METHODS: dict[str, tuple[Path, int]] = {
    'SourceOnly': (CONFIGS / 'source_only/minicity.py', 0),
    'AdaBN': (CONFIGS / 'adabn/minicity.py', 0),
    'MinEnt': (CONFIGS / 'advent/carla2camvid_minent.py', 0),
    'AdaptSegNet': (CONFIGS / 'adaptsegnet/minicity.py', 0),
    'FeatureAdversary': (CONFIGS / 'adaptsegnet/gta2city_feature.py', 0),
    'ADVENT': (CONFIGS / 'advent/minicity.py', 0),
    'SelfTraining': (CONFIGS / 'cbst/minicity.py', 1),
    'FADA': (CONFIGS / 'fada/minicity.py', 1),
    'SIM': (CONFIGS / 'sim/minicity.py', 1),
    'SDCA': (CONFIGS / 'sdca/minicity.py', 1),
    'DACS': (CONFIGS / 'dacs/minicity.py', 0),
    'MaxSquare': (PROJECTS / 'example_project/configs/maxsquare_minicity.py', 0),
    'FDA': (PROJECTS / 'fda/configs/minicity.py', 0),
    'DAFormer': (PROJECTS / 'daformer/configs/gta2city.py', 0),
    'HRDA': (PROJECTS / 'hrda/configs/gta2city.py', 0),
    'MICDAFormer': (PROJECTS / 'mic/configs/gta2city.py', 0),
    'MICDACS': (PROJECTS / 'mic/configs/gta2city_dacs.py', 0),
    'MICMinEnt': (PROJECTS / 'mic/configs/gta2city_minent.py', 0),
    'MICAdaptSegNet': (PROJECTS / 'mic/configs/gta2city_adaptsegnet.py', 0),
}
"""A config and the index of one of its trainings, by the type of the adaptor. HRDA is a network of another method."""


class Training(NamedTuple):
    """The parts of a training step: adaptor, optimizers, batch."""

    model: BaseAdaptor
    wrappers: AdaptorOptimWrapperDict
    batch: dict


def training_config(name: str, work_dir: Path, roots: dict) -> Config:
    """Return the config of the training of a method."""
    path, number = METHODS[name]
    return trainings(reduced(path, work_dir, roots))[number]


def training_of(cfg: Config, memory_format: torch.memory_format = torch.contiguous_format) -> Training:
    """Build the model of a training with fixed weights, its optimizers, and a batch with labels in both domains."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model.copy()).train().to(memory_format=memory_format)
    options = {key: value for key, value in cfg.optim_wrapper.items() if key != 'constructor'}
    size = (256, 256) if cfg.model.type == 'FeatureAdversary' else (48, 64)
    batch = dict(source=side(0, True, size=size), target=side(1, True, size=size))
    return Training(model, PerModuleOptimWrapperConstructor(options)(model), batch)
