"""Self-training: labels that the network made are trained on like true ones."""
from typing import Dict, Iterator, List, Optional, Tuple

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..losses import cross_entropy
from ..segmentors import SegOutputs
from .base import BaseAdaptor, Losses


@MODELS.register_module()
class SelfTraining(BaseAdaptor):
    r"""The training step of ST, CBST and CBST-SP (Zou et al., ECCV 2018, eq. 4 with the pseudo labels fixed).

    .. math:: L = \frac{1}{|\mathcal{V}_s| + |\mathcal{V}_t|} \Big(
       \sum_{n \in \mathcal{V}_s} -\log p_{y_n}(n) + \sum_{n \in \mathcal{V}_t} -\log p_{\hat y_n}(n) \Big)

    over the labelled pixels of both domains in the batch, with no weight between them. A batch of a
    :class:`DomainMixDataset` holds whatever images were drawn, of one domain or both, all of one size.

    The loss is taken at the size of the label maps: that of the logits (the paper: stride 8, labels sampled, logits never
    upsampled), or that of the images.

    Args:
        freeze_bn_statistics: Batch-norm keeps the running statistics it was loaded with, and normalises with them in
            training too; its scale and shift are trained. In the paper this holds for the whole pipeline.
        **kwargs: As :class:`BaseAdaptor`.

    Raises:
        ValueError: In the first iteration, if images differ in size, or labels have neither the size of the logits nor that of
            the images.
    """

    TAKES_ONE_SIDE = True

    def __init__(self, segmentor: dict, freeze_bn_statistics: bool = False, **kwargs) -> None:
        super().__init__(segmentor, **kwargs)
        self.freeze_bn_statistics = freeze_bn_statistics

    def adapt(self, source: Optional[dict], target: Optional[dict]) -> Iterator[Tuple[str, Losses]]:
        sides = {name: side for name, side in dict(source=source, target=target).items() if side is not None}
        sizes = {name: tuple(side['inputs'].shape[-2:]) for name, side in sides.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f'SelfTraining forwards both domains together, but their images are {sizes} (H, W): crop both to one '
                             'size')
        outputs = self.segmentor(torch.cat([side['inputs'] for side in sides.values()]), mode='outputs')
        labels = [torch.cat([sample.gt_sem_seg.data for sample in side['data_samples']]) for side in sides.values()]
        losses: Dict[str, Tensor] = {}
        for level in outputs.levels:
            logits = logits_like(outputs, level, labels[0])
            losses[f'loss_seg_{level}'] = cross_entropy(logits, torch.cat(labels))
            if level == 'main':
                self._log_sides(list(sides), logits.detach(), labels)
        yield 'segmentor', self.weigh(losses)

    def train(self, mode: bool = True) -> 'SelfTraining':
        """As usual, but frozen statistics stay as they are."""
        super().train(mode)
        if self.freeze_bn_statistics:
            for module in self.segmentor.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _log_sides(self, names: List[str], logits: Tensor, labels: List[Tensor]) -> None:
        for name, part, label in zip(names, logits.split([len(label) for label in labels]), labels):
            self.log(**{f'{name}_loss': cross_entropy(part, label)})


def logits_like(outputs: SegOutputs, level: str, labels: Tensor) -> Tensor:
    """Logits of a level at the size of label maps (N, h, w).

    Raises:
        ValueError: If that is neither their own size nor that of the images.
    """
    size, own = tuple(labels.shape[-2:]), tuple(outputs.logits[level].shape[-2:])
    if size == own:
        return outputs.logits[level].float()
    if size == outputs.size:
        return outputs.upsample(level)
    raise ValueError(f'labels are {size}, but the {level} logits are {own} and the images {outputs.size} (H, W): sample labels at the '
                     "network's stride (SmallClassCrop.label_stride), or not at all (label_stride=1)")
