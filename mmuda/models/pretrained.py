"""Starting points of the papers: trunk weights inside somebody else's checkpoint."""

from mmengine.logging import print_log
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmuda.checkpoints.key_maps import TORCHVISION_VGG, rename
from mmuda.checkpoints.states import plain_state, weight_problems, with_counters


@WEIGHT_INITIALIZERS.register_module(name='DeepLabPretrained')
class DeepLabPretrainedInit:
    """Loads the trunk from the initialisation file of a paper.

    AdaptSegNet's and ADVENT's keys are ``<prefix>.conv1.weight``, ``<prefix>.layer1.0...`` and ``<prefix>.layer5...``:
    the first component is dropped and the classifier ``layer5`` is skipped. Files without a prefix (torchvision, a
    plain trunk) and those that ``tools/model_converters`` writes load too; their classifiers are skipped likewise.
    VGG-16 files of torchvision are renumbered. What is left must be the weights of the backbone, key by key and shape
    by shape, except those that the backbone says are always drawn at random (``NOT_PRETRAINED``).

    ::

        backbone=dict(type='DeepLabResNet', depth=101,
                      init_cfg=dict(type='DeepLabPretrained', checkpoint='https://... or a path'))

    Args:
        checkpoint: Path or URL.
        hint: Where the file comes from, for the error when it is not there.
    """

    CLASSIFIERS = ('layer5', 'layer6', 'fc', 'classifier', 'decode_head', 'auxiliary_head')

    def __init__(self, checkpoint: str, hint: str | None = None) -> None:
        self.checkpoint, self.hint = checkpoint, hint

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into a backbone.

        Raises:
            FileNotFoundError: If there is no such file.
            RuntimeError: If the file cannot be had, or with every missing, unexpected, mis-shaped and mistyped key.
        """
        try:
            checkpoint = CheckpointLoader.load_checkpoint(self.checkpoint, map_location='cpu', logger='current')
        except FileNotFoundError as error:
            hint = self.hint or 'put the file there, or name a copy in init_cfg.checkpoint'
            raise FileNotFoundError(
                f'{type(module).__name__} should start from {self.checkpoint}, which does not exist: {hint}. '
                'init_cfg=None starts from random weights.'
            ) from error
        weights = self._trunk(plain_state(checkpoint, self.checkpoint), module)
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
        print_log(f'{type(module).__name__} starts from {self.checkpoint}', logger='current')

    def _trunk(self, weights: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
        if 'features.24.weight' in weights:
            weights = rename(weights, TORCHVISION_VGG).weights
        ours = {name.split('.', 1)[0] for name in module.state_dict()}
        trunk = {}
        for key, value in weights.items():
            if key.split('.', 1)[0] not in ours.union(self.CLASSIFIERS):
                key = key.partition('.')[2] or key
            if key.split('.', 1)[0] not in self.CLASSIFIERS:
                trunk[key] = value
        return trunk
