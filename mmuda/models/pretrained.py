"""Initialisation of backbones from published checkpoints."""

from typing import Any

from mmengine.logging import print_log
from mmengine.model import update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmuda.checkpoints.key_maps import OWN, TORCHVISION_VGG, rename
from mmuda.checkpoints.states import plain_state, weight_problems, with_counters
from mmuda.internals import records_init


@WEIGHT_INITIALIZERS.register_module(name='StrictPretrained')
class StrictPretrainedInit:
    """Initialiser that loads every weight of a backbone, or raises an error that lists the keys that do not fit.

    mmengine's ``Pretrained`` leaves weights that are missing in the file at random values and only logs them. Here the
    layout of the backbone (``LAYOUT``, see :mod:`mmuda.checkpoints.key_maps`) first renames the keys of the file and
    leaves out those of other networks. The rest must then match the weights of the backbone in name and shape. The
    only exceptions are weights that start at random in the papers too (``NOT_PRETRAINED`` of the backbone). A backbone
    without ``LAYOUT`` loads files with its own names, and the backbone of a checkpoint of mmseg or mmuda.

    ::

        backbone=dict(type='EfficientNetLite',
                      init_cfg=dict(type='StrictPretrained', checkpoint='package://... or a path'))

    Args:
        checkpoint: Path, URL, or ``package://NAME/PATH`` for a file of an installed package.
        hint: How to get the file. It is part of the error message when the file is missing.
    """

    def __init__(self, checkpoint: str, hint: str | None = None) -> None:
        self.checkpoint, self.hint = checkpoint, hint

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into a backbone.

        Raises:
            FileNotFoundError: If there is no such file.
            ModuleNotFoundError: If the package that has the file is not installed.
            RuntimeError: If the file cannot be downloaded or read, or if a key is missing, unexpected, or has another
                shape or type. The message lists all such keys.
        """
        try:
            checkpoint = CheckpointLoader.load_checkpoint(self.checkpoint, map_location='cpu', logger='current')
        except FileNotFoundError as error:
            hint = self.hint or 'put the file there, or set init_cfg.checkpoint to the path of a copy'
            raise FileNotFoundError(
                f'{type(module).__name__} should start from {self.checkpoint}, which does not exist: {hint}. '
                'init_cfg=None starts from random weights.'
            ) from error
        weights = self.renamed(plain_state(checkpoint, self.checkpoint), module)
        fresh = tuple(getattr(module, 'NOT_PRETRAINED', ()))
        expected = {key: value for key, value in module.state_dict().items() if not key.startswith(fresh)}
        given = with_counters({key: value for key, value in weights.items() if not key.startswith(fresh)}, expected)
        problems = weight_problems(expected, given)
        if problems:
            raise RuntimeError(
                f'{self.checkpoint} does not initialise {type(module).__name__}:\n{problems}\nUse the file that the '
                'config names, or init_cfg=None for random weights.'
            )
        module.load_state_dict(given, strict=False)
        child: Any
        for child in module.children():
            # mmengine calls `init_weights` of the children next; mmcv's ConvModule would draw its weights again.
            if hasattr(child, 'init_weights'):
                child.is_init = True
        if records_init(module):
            update_init_info(
                module, init_info=f'{type(self).__name__.removesuffix("Init")}: load from {self.checkpoint}'
            )
        print_log(f'{type(module).__name__} starts from {self.checkpoint}', logger='current')

    def renamed(self, weights: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
        """Return the weights of a file under the names of the backbone, without those of heads and necks."""
        found = rename(weights, getattr(module, 'LAYOUT', OWN)).weights
        return {key.removeprefix('backbone.'): value for key, value in found.items()}


@WEIGHT_INITIALIZERS.register_module(name='DeepLabPretrained')
class DeepLabPretrainedInit(StrictPretrainedInit):
    """Initialiser that loads a backbone from the initialisation file of a paper.

    AdaptSegNet's and ADVENT's keys are ``<prefix>.conv1.weight``, ``<prefix>.layer1.0...`` and ``<prefix>.layer5...``:
    the prefix is removed and the classifier ``layer5`` is left out. Files without a prefix (torchvision, a plain
    backbone) and files that ``tools/model_converters`` writes load too, also without their classifiers. The layers in
    VGG-16 files of torchvision are renumbered. The remaining weights must match as in :class:`StrictPretrainedInit`.

    ::

        backbone=dict(type='DeepLabResNet', depth=101,
                      init_cfg=dict(type='DeepLabPretrained', checkpoint='https://... or a path'))

    Args:
        *args: As :class:`StrictPretrainedInit`.
        **kwargs: As :class:`StrictPretrainedInit`.
    """

    CLASSIFIERS = ('layer5', 'layer6', 'fc', 'classifier', 'decode_head', 'auxiliary_head')

    def renamed(self, weights: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
        """Return the weights of a file under the names of the backbone, without classifiers."""
        if 'features.24.weight' in weights:
            weights = rename(weights, TORCHVISION_VGG).weights
        ours = {name.split('.', 1)[0] for name in module.state_dict()}
        backbone = {}
        for key, value in weights.items():
            if key.split('.', 1)[0] not in ours.union(self.CLASSIFIERS):
                key = key.partition('.')[2] or key
            if key.split('.', 1)[0] not in self.CLASSIFIERS:
                backbone[key] = value
        return backbone
