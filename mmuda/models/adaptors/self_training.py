"""Self-training: labels that the network made are trained on like true ones."""

from collections.abc import Iterator

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmuda.constants import IGNORE_INDEX
from mmuda.internals import BatchNorm

from ..losses import cross_entropy
from .base import BaseAdaptor, Losses


@MODELS.register_module()
class SelfTraining(BaseAdaptor):
    r"""The training step of ST, CBST and CBST-SP (Zou et al., ECCV 2018, eq. 4 with the pseudo labels fixed).

    .. math:: L = \frac{1}{\max(1, |\mathcal{V}_s| + |\mathcal{V}_t|)} \Big(
       \sum_{n \in \mathcal{V}_s} -\log p_{y_n}(n) + \sum_{n \in \mathcal{V}_t} -\log p_{\hat y_n}(n) \Big)

    over the labelled pixels of both domains in the batch of a process, with no weight between the domains. A batch
    of a :class:`DomainMixDataset` holds whatever images were drawn, of one domain or of both, all of one size; they
    are forwarded together. A batch without any labelled pixel has no gradient, but momentum and weight decay act.

    The loss is taken at the size of the label maps: that of the logits (the paper: stride 8, labels sampled, logits
    never upsampled), or that of the images. Auxiliary levels, if the network has any, add ``seg_aux`` times theirs.

    The log shows ``loss_seg_<level>``, and the mean loss of the main level over the pixels of each domain that is in
    the batch, ``source_loss`` and ``target_loss``.

    Args:
        segmentor: As in :class:`BaseAdaptor`.
        freeze_bn_statistics: Batch-norm keeps the running statistics it was loaded with, and normalises with them in
            training too; scale and shift are trained if they require gradients. In the paper this holds for the whole
            pipeline, source-only training included. False leaves that to the segmentor (``backbone.norm_eval``).
        **kwargs: As :class:`BaseAdaptor`.

    Raises:
        ValueError: From :meth:`train_step`, if an image has no label, images or labels differ in size, or labels have
            neither the size of the logits nor that of the images.
    """

    TAKES_ONE_SIDE = True

    def __init__(self, segmentor: dict, freeze_bn_statistics: bool = False, **kwargs) -> None:
        super().__init__(segmentor, **kwargs)
        self.freeze_bn_statistics = freeze_bn_statistics

    def adapt(self, source: dict | None, target: dict | None) -> Iterator[tuple[str, Losses]]:
        sides = {name: side for name, side in dict(source=source, target=target).items() if side is not None}
        inputs, labels = one_batch(sides)
        outputs = self.segment(dict(inputs=inputs))
        losses: Losses = {}
        for level in outputs.levels:
            logits = outputs.like(level, tuple(labels[next(iter(labels))].shape[-2:]))
            losses[f'loss_seg_{level}'], by_side = joint_cross_entropy(logits, labels)
        self.log(**{f'{name}_loss': loss for name, loss in by_side.items()})  # of the last level, which is main
        yield 'segmentor', self.weigh(losses)

    def train(self, mode: bool = True) -> 'SelfTraining':
        """As usual, but frozen statistics stay as they are."""
        super().train(mode)
        if self.freeze_bn_statistics:
            for module in self.segmentor.modules():
                if isinstance(module, BatchNorm):
                    module.eval()
        return self


def one_batch(sides: dict[str, dict]) -> tuple[Tensor, dict[str, Tensor]]:
    """What is there of both domains as one batch.

    Args:
        sides: ``inputs`` (n, 3, H, W) and labelled ``data_samples`` by domain.

    Returns:
        Images (N, 3, H, W), and label maps (n, h, w) by domain, in the same order.

    Raises:
        ValueError: If an image has no label, or images or labels are not all of one size.
    """
    sizes = {name: tuple(side['inputs'].shape[-2:]) for name, side in sides.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f'SelfTraining forwards both domains in one batch, but the images of {_list(sizes)} (H, W): '
            'crop those of both to one size, for instance by the `size` of SmallClassCrop'
        )
    for name, side in sides.items():
        bare = [sample.metainfo.get('img_path') for sample in side['data_samples'] if 'gt_sem_seg' not in sample]
        if bare:
            raise ValueError(
                f'SelfTraining needs a label for every image, but {len(bare)} of the {name} have none, '
                f'the first is {bare[0]}: load annotations in its pipeline (those of the target with '
                'LoadPseudoLabel, in a PseudoLabelDataset)'
            )
    maps = {name: [sample.gt_sem_seg.data for sample in side['data_samples']] for name, side in sides.items()}
    sizes = {name: sorted({tuple(label.shape[-2:]) for label in labels}) for name, labels in maps.items()}
    if len(set(sum(sizes.values(), []))) > 1:
        raise ValueError(
            f'SelfTraining needs label maps of one size, but those of {_list(sizes)} (H, W): sample both '
            'domains alike, for instance by the `size` and `label_stride` of SmallClassCrop'
        )
    return torch.cat([side['inputs'] for side in sides.values()]), {
        name: torch.cat(labels) for name, labels in maps.items()
    }


def joint_cross_entropy(logits: Tensor, labels: dict[str, Tensor]) -> tuple[Tensor, Losses]:
    """Mean cross-entropy over the labelled pixels of all domains, and of each domain apart; 0 where there are none.

    Args:
        logits: (N, C, h, w), the images of one domain after those of the other.
        labels: (n, h, w) int64 by domain, in the same order; 255 is ignored.
    """
    parts = logits.split([len(label) for label in labels.values()])
    means = {name: cross_entropy(part, label) for part, (name, label) in zip(parts, labels.items(), strict=True)}
    # Counts stay on the device, and no pixel is looked at twice: the joint mean is that of the means, by their pixels.
    counts = {name: ((label != IGNORE_INDEX) & (label >= 0)).sum() for name, label in labels.items()}
    total = sum(mean * counts[name] for name, mean in means.items())
    return total / sum(counts.values()).clamp(min=1), means


def _list(sizes: dict) -> str:
    return ' and '.join(f'the {name} are {size}' for name, size in sizes.items())
