"""SIM: different alignment of stuff classes and of instances of thing classes."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.dist import all_gather, get_world_size
from mmseg.registry import MODELS
from torch import Tensor

from mmuda.constants import IGNORE_INDEX

from ..labels import labels_of, nearest_labels
from ..losses import cross_entropy
from ..memories.feature_memory import FeatureMemory
from ..memories.regions import Regions, find_regions, region_means
from ..segmentors import SegOutputs
from .adversarial import OutputSpaceAdversary
from .base import Losses
from .freezing import frozen

STUFF = (0, 1, 2, 3, 4, 8, 9, 10)
"""Train ids of road, sidewalk, building, wall, fence, vegetation, terrain and sky in the list of 19 classes."""

THINGS = (5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18)
"""Train ids of the other classes: poles, traffic lights and signs, persons and vehicles."""


@MODELS.register_module()
class SIM(OutputSpaceAdversary):
    r"""Differential treatment for stuff and things (Wang et al., CVPR 2020), on single-level AdaptSegNet.

    Two memories store mean features of correctly classified source pixels. For each **stuff** class in an image, one
    stores the mean feature of the class. For each **thing** class, the other stores the mean feature of each instance;
    instances are the ``instances`` largest 8-connected components. A mean is stored only if the classifier assigns it
    to its class. Mean features of the target are pulled to the nearest stored vector of their predicted class:

    .. math:: L_{stuff} = \sum_{c \in S} \min_j \tfrac1C \|\bar f_c - m_{cj}\|_1, \quad
       L_{ins} = \sum_{c \in T} \frac{1}{n_c} \sum_{i=1}^{n_c} \min_j \tfrac1C \|\bar f_{ci} - m_{cj}\|_1

    where S and T are the stuff and thing classes, C is the number of channels, :math:`\bar f` is the mean feature of a
    class or an instance in the target image, :math:`m_{cj}` are the stored vectors of class c, and :math:`n_c` is the
    number of its instances. A target stuff mean contributes only if the classifier assigns it to its own class; thing
    instances are not checked. A class contributes once more vectors have been written to its memory than it has slots.

    In each iteration the memories are updated before the target is forwarded. In the second phase of the paper the
    target has pseudo labels, and their cross-entropy is added (``seg_target``). The images of a batch are processed one
    by one, in order, and losses are means over images.

    Args:
        segmentor: As in :class:`BaseAdaptor`; the method uses the feature map that is the input of the decode head.
        discriminator: Config of the discriminator of class probabilities, as in :class:`AdaptSegNet`.
        stuff: Train ids of the stuff classes.
        things: Train ids of the thing classes.
        prototypes: Number of slots of a stuff class.
        instances: Largest number of instances of a class in an image. Thing classes have ``instances`` times as many
            slots as stuff classes.
        gather: In distributed training, store the mean features of the images of all processes, so that all processes
            have the same memories. False: each process has its own memories, and the checkpoint keeps those of the
            first process.
        count_empty: As in the original, a stuff class that is not in the target image contributes a constant without
            gradient if the classifier assigns a zero vector to this class.
        **kwargs: As :class:`OutputSpaceAdversary`; loss weights ``seg_main``, ``adv_main``, ``stuff``, ``ins`` and
            ``seg_target``.

    Raises:
        ValueError: If a class is unknown or both stuff and thing, if ``prototypes`` or ``instances`` is below 1, if
            there are auxiliary heads, or if the decode head takes several feature maps.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, adv_main=0.001, stuff=0.01, ins=0.01, seg_target=1.0)

    def __init__(
        self,
        segmentor: dict,
        discriminator: dict,
        stuff: Sequence[int] = STUFF,
        things: Sequence[int] = THINGS,
        prototypes: int = 50,
        instances: int = 10,
        gather: bool = True,
        count_empty: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(segmentor, discriminator, **kwargs)
        both = [*stuff, *things]
        if len(set(both)) < len(both) or not all(0 <= c < self.num_classes for c in both):
            raise ValueError(
                f'SIM: stuff={tuple(stuff)} and things={tuple(things)} must be different ids of the '
                f'{self.num_classes} classes'
            )
        if min(prototypes, instances) < 1:
            raise ValueError(
                f'SIM: prototypes={prototypes} and instances={instances} must be at least 1; to leave out one kind of '
                'classes, set stuff=() or things=()'
            )
        if self.segmentor.with_auxiliary_head:
            raise ValueError('SIM has one level: remove segmentor.auxiliary_head')
        self.stuff, self.things, self.instances = tuple(stuff), tuple(things), instances
        self.gather, self.count_empty = gather, count_empty
        channels = self.feature_channels
        self.stuff_memory = FeatureMemory(len(stuff), prototypes, channels)
        self.thing_memory = FeatureMemory(len(things), prototypes * instances, channels)
        self.region_classes: Tensor
        self.register_buffer(
            'region_classes', torch.tensor([*stuff, *(c for c in things for _ in range(instances))]), persistent=False
        )

    def domain_map(self, logits: Tensor) -> Tensor:
        """Return class probabilities (N, C, H, W) of logits (N, C, H, W)."""
        return logits.softmax(dim=1)

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        on_source = self.segment(source)
        self.update_memories(on_source, source)
        yield 'segmentor', self.supervised_losses(on_source, source)
        on_source = self.detach_outputs(on_source)

        on_target = self.segment(target)
        with frozen(self.discriminator):
            yield (
                'segmentor',
                {
                    **self.adversarial_losses(on_target),
                    **self.alignment_losses(on_target),
                    **self.pseudo_label_losses(on_target, target),
                },
            )
        on_target = self.detach_outputs(on_target)

        yield from self.train_discriminators(on_source, on_target)

    @torch.no_grad()
    def update_memories(self, outputs: SegOutputs, batch: dict) -> None:
        """Store the mean features of correctly classified regions of a labelled batch."""
        predicted = outputs.logits['main'].argmax(dim=1)
        labels = nearest_labels(labels_of(batch), predicted.shape[-2:])
        means, counts, _ = self.pool_regions(outputs, labels.masked_fill(labels != predicted, IGNORE_INDEX))
        accepted = (counts > 0) & (self.classify_vectors(means) == self.region_classes)
        if self.gather and get_world_size() > 1:
            # NCCL gathers contiguous tensors only.
            means, accepted = (torch.cat(all_gather(value.contiguous())) for value in (means, accepted))
        for mean, ok in zip(means, accepted, strict=True):
            self.stuff_memory.write(*self.stuff_regions(mean, ok))
            self.thing_memory.write(*self.thing_regions(mean, ok))

    def alignment_losses(self, outputs: SegOutputs) -> Losses:
        """Return ``loss_stuff`` and ``loss_ins``, the weighted distances of target features to the memories."""
        means, counts, regions = self.pool_regions(outputs, outputs.logits['main'].detach().argmax(dim=1))
        is_class = self.classify_vectors(means[:, : len(self.stuff)]) == self.region_classes[: len(self.stuff)]
        stuff, ins = [], []
        for mean, there, ok, number in zip(means, counts > 0, is_class, regions.instances, strict=True):
            vectors, seen = self.stuff_regions(mean, there)
            ok = ok[:, None] & self.stuff_memory.started[:, None] & (seen | self.count_empty)
            stuff.append((self.stuff_memory.distance(vectors) * ok).sum())
            # Instances are sorted by size: distances are needed only up to the largest number of instances of a class.
            vectors, there = (part[:, : max(1, regions.most)] for part in self.thing_regions(mean, there))
            distances = self.thing_memory.distance(vectors) * (there & self.thing_memory.started[:, None])
            ins.append((distances.sum(dim=1) / number.clamp(min=1)).sum())
        return self.weigh('stuff', torch.stack(stuff).mean()) | self.weigh('ins', torch.stack(ins).mean())

    def pseudo_label_losses(self, outputs: SegOutputs, batch: dict) -> Losses:
        """Return ``loss_seg_target``, the cross-entropy with the target's pseudo labels; empty if it has none."""
        if 'gt_sem_seg' not in batch['data_samples'][0]:
            return {}
        return self.weigh('seg_target', cross_entropy(*outputs.labelled('main', labels_of(batch))))

    def pool_regions(self, outputs: SegOutputs, classes: Tensor) -> tuple[Tensor, Tensor, Regions]:
        """Return the mean features (N, K, C) and pixel counts (N, K) of all regions, and the regions.

        Args:
            outputs: Outputs of the segmentor with features.
            classes: Class maps, (N, h, w) integers.
        """
        regions = find_regions(classes, self.stuff, self.things, self.instances)
        means, counts = region_means(self.head_features(outputs), regions.region, len(self.region_classes))
        return means, counts, regions

    @torch.no_grad()
    def classify_vectors(self, vectors: Tensor) -> Tensor:
        """Return the classes (N, K) that the decode head assigns to single vectors (N, K, C)."""
        head = self.decode_head
        maps = vectors.detach().flatten(0, 1)[:, :, None, None]
        modes = [(module, module.training) for module in head.modules()]
        head.eval()  # so that batch-norm statistics do not change, and vectors do not influence each other
        try:
            logits = head([None] * head.in_index + [maps])
        finally:
            for module, mode in modes:
                module.training = mode
        return logits[:, :, 0, 0].argmax(dim=1).view(vectors.shape[:2])

    def stuff_regions(self, vectors: Tensor, flags: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows of the stuff regions of one image, (S, 1, C) and (S, 1)."""
        return vectors[: len(self.stuff), None], flags[: len(self.stuff), None]

    def thing_regions(self, vectors: Tensor, flags: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows of the thing instances of one image, (T, instances, C) and (T, instances)."""
        shape = len(self.things), self.instances
        return vectors[len(self.stuff) :].unflatten(0, shape), flags[len(self.stuff) :].unflatten(0, shape)
