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
"""Road, sidewalk, building, wall, fence, vegetation, terrain and sky of the 19 classes."""

THINGS = (5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18)


@MODELS.register_module()
class SIM(OutputSpaceAdversary):
    r"""Differential treatment for stuff and things (Wang et al., CVPR 2020), on single-level AdaptSegNet.

    Correctly classified source pixels fill two memories. For each **stuff** class in an image the memory takes the mean
    feature of the class; for each **thing** class it takes the mean features of its instances, which are the
    ``instances`` largest 8-connected components. A mean is stored only if the classifier assigns it to its class.
    Target features are drawn to the nearest stored vector of their predicted class:

    .. math:: L_{stuff} = \sum_{c \in S} \min_j \tfrac1C \|\bar f_c - m_{cj}\|_1, \quad
       L_{ins} = \sum_{c \in T} \frac{1}{n_c} \sum_{i=1}^{n_c} \min_j \tfrac1C \|\bar f_{ci} - m_{cj}\|_1

    A target stuff mean contributes only if the classifier assigns it to its own class; thing instances are not checked.
    A class takes part once its memory has been written more often than it has slots. Memories are updated before the
    target is forwarded, in the same iteration. In the second phase the target has pseudo labels, whose cross-entropy is
    added (``seg_target``).

    The images of a batch are processed one by one, in order, and losses are means over images.

    Args:
        segmentor: As in :class:`BaseAdaptor`; the method uses the feature map that its decode head reads.
        discriminator: Config of the discriminator of class probabilities, as in :class:`AdaptSegNet`.
        stuff: Ids of the stuff classes.
        things: Ids of the thing classes.
        prototypes: Number of slots of a stuff class.
        instances: Largest number of instances of a class per image. Thing classes have ``instances`` times as many
            slots as stuff classes.
        gather: In distributed training, store the images of all processes, so that all have the same memories. False
            gives each process its own memories, of which the checkpoint keeps those of the first process.
        count_empty: As in the original, let stuff that is not in the target image contribute a constant without
            gradient if the classifier assigns a zero vector to its class.
        **kwargs: As :class:`OutputSpaceAdversary`; loss weights ``seg_main``, ``adv_main``, ``stuff``, ``ins`` and
            ``seg_target``.

    Raises:
        ValueError: If a class is both stuff and thing or unknown, there are auxiliary heads, or the decode head reads
            several feature maps.
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
                f'SIM: prototypes={prototypes} and instances={instances} must be at least 1; a kind without classes '
                '(stuff=() or things=()) is left out'
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
        """Return ``loss_stuff`` and ``loss_ins``: distances of target stuff and instances to their memories."""
        means, counts, regions = self.pool_regions(outputs, outputs.logits['main'].detach().argmax(dim=1))
        is_class = self.classify_vectors(means[:, : len(self.stuff)]) == self.region_classes[: len(self.stuff)]
        stuff, ins = [], []
        for mean, there, ok, number in zip(means, counts > 0, is_class, regions.instances, strict=True):
            vectors, seen = self.stuff_regions(mean, there)
            ok = ok[:, None] & self.stuff_memory.started[:, None] & (seen | self.count_empty)
            stuff.append((self.stuff_memory.distance(vectors) * ok).sum())
            # The largest instances come first, so ranks that no class reaches need no distances.
            vectors, there = (part[:, : max(1, regions.most)] for part in self.thing_regions(mean, there))
            distances = self.thing_memory.distance(vectors) * (there & self.thing_memory.started[:, None])
            ins.append((distances.sum(dim=1) / number.clamp(min=1)).sum())
        return self.weigh('stuff', torch.stack(stuff).mean()) | self.weigh('ins', torch.stack(ins).mean())

    def pseudo_label_losses(self, outputs: SegOutputs, batch: dict) -> Losses:
        """Return the cross-entropy with the target's pseudo labels, ``loss_seg_target``; nothing without (phase 1)."""
        if 'gt_sem_seg' not in batch['data_samples'][0]:
            return {}
        return self.weigh('seg_target', cross_entropy(*outputs.labelled('main', labels_of(batch))))

    def pool_regions(self, outputs: SegOutputs, classes: Tensor) -> tuple[Tensor, Tensor, Regions]:
        """Return mean features (N, K, C) and sizes (N, K) of the regions of class maps (N, h, w), and the regions."""
        regions = find_regions(classes, self.stuff, self.things, self.instances)
        means, counts = region_means(self.head_features(outputs), regions.region, len(self.region_classes))
        return means, counts, regions

    @torch.no_grad()
    def classify_vectors(self, vectors: Tensor) -> Tensor:
        """Return the classes (N, K) that the decode head assigns to single vectors (N, K, C)."""
        head = self.decode_head
        maps = vectors.detach().flatten(0, 1)[:, :, None, None]
        modes = [(module, module.training) for module in head.modules()]
        head.eval()  # a vector's class must not change batch-norm statistics or depend on the other vectors
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
