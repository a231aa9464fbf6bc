"""Starting points of the papers: trunk weights inside somebody else's checkpoint."""
from typing import Dict

from mmengine.logging import print_log
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn


@WEIGHT_INITIALIZERS.register_module(name='DeepLabPretrained')
class DeepLabPretrainedInit:
    """Loads the trunk from a DeepLabV2 initialisation file of AdaptSegNet or ADVENT.

    Their keys are ``<prefix>.conv1.weight``, ``<prefix>.layer1.0...`` and ``<prefix>.layer5...``: the first component is
    dropped and the classifier ``layer5`` is skipped. Files without a prefix (torchvision, a plain trunk) load too; their
    classifier is skipped likewise. Every weight of the backbone must be found with its shape.

    ::

        backbone=dict(type='DeepLabResNet', depth=101,
                      init_cfg=dict(type='DeepLabPretrained', checkpoint='https://... or a path'))

    Args:
        checkpoint: Path or URL.
    """

    CLASSIFIERS = ('layer5', 'layer6', 'fc')

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into a backbone.

        Raises:
            RuntimeError: If the file cannot be had, or does not hold every weight of the backbone.
        """
        checkpoint = CheckpointLoader.load_checkpoint(self.checkpoint, map_location='cpu', logger='current')
        weights = self._trunk(checkpoint.get('state_dict', checkpoint), module)
        expected = {key: value for key, value in module.state_dict().items() if not key.endswith('num_batches_tracked')}
        missing = sorted(set(expected) - set(weights))
        shapes = sorted(key for key in set(expected) & set(weights) if expected[key].shape != weights[key].shape)
        if missing or shapes:
            raise RuntimeError(
                f'{self.checkpoint} does not initialise {type(module).__name__}: {len(missing)} weights are missing '
                f'({", ".join(missing[:5])}...), {len(shapes)} have another shape ({", ".join(shapes[:5])}...). Use the '
                'file that the config names, or init_cfg=None for random weights.')
        module.load_state_dict({key: weights[key] for key in expected}, strict=False)
        print_log(f'{type(module).__name__} starts from {self.checkpoint}', logger='current')

    def _trunk(self, weights: Dict[str, Tensor], module: nn.Module) -> Dict[str, Tensor]:
        ours = {name.split('.', 1)[0] for name in module.state_dict()}
        trunk = {}
        for key, value in weights.items():
            if key.split('.', 1)[0] not in ours.union(self.CLASSIFIERS):
                key = key.partition('.')[2]
            if key.split('.', 1)[0] not in self.CLASSIFIERS:
                trunk[key] = value
        return trunk
