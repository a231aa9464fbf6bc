"""Self-training: training on pseudo labels in the same way as on true labels."""

from collections.abc import Iterator
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmuda.constants import IGNORE_INDEX

from ..batch_norm import freeze_batch_norm_statistics
from ..labels import labels_of
from ..losses import cross_entropy
from .base import BaseAdaptor, Losses


@MODELS.register_module()
class SelfTraining(BaseAdaptor):
    r"""The training step of ST, CBST and CBST-SP (Zou et al., ECCV 2018, eq. 4 with the pseudo labels fixed).

    .. math:: L = \frac{1}{\max(1, |\mathcal{V}_s| + |\mathcal{V}_t|)} \Big(
       \sum_{n \in \mathcal{V}_s} -\log p_{y_n}(n) + \sum_{n \in \mathcal{V}_t} -\log p_{\hat y_n}(n) \Big)

    The sums run over the labelled pixels of the source and the target, :math:`\mathcal{V}_s` and :math:`\mathcal{V}_t`,
    in the batch of a process; there is no weight between the domains. A batch can have images of one domain or of both,
    all of one size. They are forwarded together. A batch without any labelled pixel has zero gradients, but momentum
    and weight decay still change the weights.

    The loss is computed at the size of the label maps: the size of the logits (as in the paper: stride 8, labels are
    sampled, logits are never upsampled), or the size of the images. Auxiliary heads, if there are any, add their loss
    times ``seg_aux``.

    The log shows ``loss_seg_<level>``, where the level ``main`` is the decode head, and for this level also the mean
    loss over the pixels of each domain in the batch, ``source_loss`` and ``target_loss``.

    Args:
        segmentor: As in :class:`BaseAdaptor`.
        freeze_bn_statistics: Normalise with the running statistics of batch-norm in training too, and do not update
            them. Scale and shift are trained if they require gradients. In the paper this holds for the whole pipeline,
            source-only training included. False leaves the choice to the segmentor (``backbone.norm_eval``).
        **kwargs: As :class:`BaseAdaptor`.

    Raises:
        ValueError: In :meth:`train_step`, if an image has no label map, if images or label maps differ in size, or if
            label maps have neither the size of the logits nor that of the images.
    """

    ACCEPTS_ONE_DOMAIN = True
    USES_HEAD_LOSSES = False  # because eq. 4 is one mean over the pixels of both domains

    def __init__(self, segmentor: dict, freeze_bn_statistics: bool = False, **kwargs: Any) -> None:
        super().__init__(segmentor, **kwargs)
        self.freeze_bn_statistics = freeze_bn_statistics

    def adapt(self, source: dict | None, target: dict | None) -> Iterator[tuple[str, Losses]]:
        domains = {name: batch for name, batch in dict(source=source, target=target).items() if batch is not None}
        check_joinable(domains)
        outputs = self.segment(dict(inputs=torch.cat([batch['inputs'] for batch in domains.values()])))
        labels = {name: labels_of(batch) for name, batch in domains.items()}
        size = next(iter(labels.values())).shape[-2:]
        losses: Losses = {}
        for level in outputs.levels:
            losses[level], by_domain = joint_cross_entropy(outputs.logits_at(level, size), labels)
        self.log(**{f'{name}_loss': loss for name, loss in by_domain.items()})  # of the last level, which is main
        yield 'segmentor', self.weigh('seg', losses)

    def train(self, mode: bool = True) -> 'SelfTraining':
        """Set the training mode; with ``freeze_bn_statistics``, batch-norm layers stay in eval mode."""
        super().train(mode)
        if self.freeze_bn_statistics:
            freeze_batch_norm_statistics(self.segmentor)
        return self


def check_joinable(domains: dict[str, dict]) -> None:
    """Check that the batches of several domains can be forwarded as one batch, and that they have label maps.

    Args:
        domains: ``inputs`` (n, 3, H, W) and ``data_samples`` by domain.

    Raises:
        ValueError: If an image has no label map, or if images or label maps differ in size.
    """
    image_sizes = {name: [tuple(batch['inputs'].shape[-2:])] for name, batch in domains.items()}
    if _differ(image_sizes):
        raise ValueError(
            f'SelfTraining forwards both domains in one batch, but the images of {_listed(image_sizes)} (H, W): '
            'crop the images of both domains to one size'
        )
    for name, batch in domains.items():
        bare = [sample.metainfo.get('img_path') for sample in batch['data_samples'] if 'gt_sem_seg' not in sample]
        if bare:
            raise ValueError(
                f'SelfTraining needs a label map for every image, but {len(bare)} of the {name} have none, the first '
                f'is {bare[0]}: load label maps in the pipeline of the {name} images (for the target, pseudo labels)'
            )
    label_sizes = {
        name: sorted({tuple(sample.gt_sem_seg.data.shape[-2:]) for sample in batch['data_samples']})
        for name, batch in domains.items()
    }
    if _differ(label_sizes):
        raise ValueError(
            f'SelfTraining needs label maps of one size, but those of {_listed(label_sizes)} (H, W): crop and sample '
            'the label maps of both domains in the same way'
        )


def joint_cross_entropy(logits: Tensor, labels: dict[str, Tensor]) -> tuple[Tensor, Losses]:
    """Return the mean cross-entropy over the labelled pixels of all domains, and the mean of each domain.

    The mean is 0 if there is no labelled pixel.

    Args:
        logits: (N, C, h, w), first the images of one domain, then those of the other.
        labels: (n, h, w) int64 by domain, in the same order; 255 is ignored.
    """
    parts = logits.split([len(label) for label in labels.values()])
    means = {name: cross_entropy(part, label) for part, (name, label) in zip(parts, labels.items(), strict=True)}
    # The joint mean is the mean of the domains weighted by their pixel counts, which stay on the device.
    counts = torch.stack([((label != IGNORE_INDEX) & (label >= 0)).sum() for label in labels.values()])
    total = (torch.stack(list(means.values())) * counts).sum()
    return total / counts.sum().clamp(min=1), means


def _differ(sizes: dict[str, list]) -> bool:
    return len({size for found in sizes.values() for size in found}) > 1


def _listed(sizes: dict[str, list]) -> str:
    return ' and '.join(f'the {name} are {", ".join(map(str, found))}' for name, found in sizes.items())
