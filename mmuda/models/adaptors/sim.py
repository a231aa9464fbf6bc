"""SIM: stuff and things are aligned differently."""

from collections.abc import Iterator, Sequence

import torch
from mmengine.dist import all_gather, get_world_size
from mmseg.registry import MODELS
from torch import Tensor

from mmuda.constants import IGNORE_INDEX

from ..labels import labels_of, nearest_labels
from ..losses import SOURCE, TARGET, cross_entropy
from ..memories.feature_memory import FeatureMemory
from ..memories.regions import Regions, find_regions, region_means
from ..segmentors import SegOutputs
from .adaptsegnet import AdaptSegNet
from .base import Losses
from .freezing import frozen

STUFF = (0, 1, 2, 3, 4, 8, 9, 10)
"""Road, sidewalk, building, wall, fence, vegetation, terrain and sky of the 19 classes."""

THINGS = (5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18)


@MODELS.register_module()
class SIM(AdaptSegNet):
    r"""Differential treatment for stuff and things (Wang et al., CVPR 2020), on single-level AdaptSegNet.

    Correctly classified source pixels feed two memories: of each **stuff** class the mean feature of the image, of each
    **thing** class those of its instances, the 8-connected components, at most ``instances`` of them, the largest. A
    mean is remembered if the classifier gives it its class. Target features are drawn to the nearest memory of their
    predicted class:

    .. math:: L_{stuff} = \sum_{c \in S} \min_j \tfrac1C \|\bar f_c - m_{cj}\|_1, \quad
       L_{ins} = \sum_{c \in T} \frac{1}{n_c} \sum_{i=1}^{n_c} \min_j \tfrac1C \|\bar f_{ci} - m_{cj}\|_1

    A stuff mean of the target counts only if the classifier gives it its class; instances are not asked. A class begins
    when it was remembered more often than it has slots. Memories are updated before the target is seen, in the same
    iteration. In the second phase the target has pseudo labels, whose cross-entropy is added (``seg_target``).

    With several images in a batch each is looked at for itself, in order, and losses are means over images.

    Args:
        segmentor: As in :class:`BaseAdaptor`; the features are those that its decode head reads.
        discriminator: Of the class probabilities, as in :class:`AdaptSegNet`.
        stuff: Ids of the stuff classes.
        things: Ids of the thing classes.
        prototypes: Slots of a stuff class.
        instances: Instances of a class that are taken from an image. Thing classes have ``instances`` times as many
            slots as stuff classes.
        gather: In distributed training, remember the images of all processes, so that all have the same memories.
            False: each its own; the first one's are saved.
        count_empty: As the original, let stuff that the target image does not have contribute a constant if the
            classifier gives a zero vector its class. It has no gradient.
        **kwargs: As :class:`AdaptSegNet`; loss weights ``seg_main``, ``adv_main``, ``stuff``, ``ins`` and
          ``seg_target``.

    Raises:
        ValueError: If classes are both stuff and things, unknown, or there are auxiliary heads, or the decode head
            reads several feature maps.
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
        **kwargs,
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
        if self.space != 'output':
            raise ValueError(f"SIM: space={self.space!r}, but its adversary looks at predictions: space='output'")
        self.stuff, self.things, self.instances = tuple(stuff), tuple(things), instances
        self.gather, self.count_empty = gather, count_empty
        channels = self.feature_channels
        self.stuff_memory = FeatureMemory(len(stuff), prototypes, channels)
        self.thing_memory = FeatureMemory(len(things), prototypes * instances, channels)
        self.register_buffer(
            'region_classes', torch.tensor([*stuff, *(c for c in things for _ in range(instances))]), persistent=False
        )

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        on_source = self.segment(source)
        self.remember(on_source, source)
        yield 'segmentor', self.supervised_losses(on_source, source)
        on_source = on_source.detach(features=False)

        on_target = self.segment(target)
        with frozen(self.discriminator):
            yield (
                'segmentor',
                {
                    **self.adversarial_losses(on_target),
                    **self.alignment_losses(on_target),
                    **self.label_losses(on_target, target),
                },
            )
        on_target = on_target.detach(features=False)

        yield 'discriminator', self.discriminator_losses('discriminator', 'main', on_source, SOURCE)
        yield 'discriminator', self.discriminator_losses('discriminator', 'main', on_target, TARGET)

    @torch.no_grad()
    def remember(self, outputs: SegOutputs, batch: dict) -> None:
        """Write what is classified correctly into the memories."""
        predicted = outputs.logits['main'].argmax(dim=1)
        labels = nearest_labels(labels_of(batch), predicted.shape[-2:])
        means, counts, _ = self.pool(outputs, labels.masked_fill(labels != predicted, IGNORE_INDEX))
        accepted = (counts > 0) & (self.classify(means) == self.region_classes)
        if self.gather and get_world_size() > 1:
            means, accepted = (
                torch.cat(all_gather(value.contiguous())) for value in (means, accepted)
            )  # NCCL wants them so
        for mean, ok in zip(means, accepted, strict=True):
            self.stuff_memory.write(*self.stuff_of(mean, ok))
            self.thing_memory.write(*self.things_of(mean, ok))

    def alignment_losses(self, outputs: SegOutputs) -> Losses:
        """Distances of the target's stuff and instances to their memories."""
        means, counts, regions = self.pool(outputs, outputs.logits['main'].detach().argmax(dim=1))
        is_class = self.classify(means[:, : len(self.stuff)]) == self.region_classes[: len(self.stuff)]
        stuff, ins = [], []
        for mean, there, ok, number in zip(means, counts > 0, is_class, regions.instances, strict=True):
            vectors, seen = self.stuff_of(mean, there)
            ok = ok[:, None] & self.stuff_memory.started[:, None] & (seen | self.count_empty)
            stuff.append((self.stuff_memory.distance(vectors) * ok).sum())
            # The largest come first: what no class has so many of needs no distances.
            vectors, there = (part[:, : max(1, regions.most)] for part in self.things_of(mean, there))
            distances = self.thing_memory.distance(vectors) * (there & self.thing_memory.started[:, None])
            ins.append((distances.sum(dim=1) / number.clamp(min=1)).sum())
        return self.weigh(dict(loss_stuff=torch.stack(stuff).mean(), loss_ins=torch.stack(ins).mean()))

    def label_losses(self, outputs: SegOutputs, batch: dict) -> Losses:
        """Cross-entropy of the target's pseudo labels, if it has any (phase 2)."""
        if 'gt_sem_seg' not in batch['data_samples'][0]:
            return {}
        labels = labels_of(batch)
        return self.weigh(dict(loss_seg_target=cross_entropy(outputs.like('main', tuple(labels.shape[-2:])), labels)))

    def pool(self, outputs: SegOutputs, classes: Tensor) -> tuple[Tensor, Tensor, Regions]:
        """Mean features (N, K, C) of all regions of class maps (N, h, w), their sizes (N, K), and the regions."""
        regions = find_regions(classes, self.stuff, self.things, self.instances)
        means, counts = region_means(self.head_features(outputs), regions.index, len(self.region_classes))
        return means, counts, regions

    @torch.no_grad()
    def classify(self, vectors: Tensor) -> Tensor:
        """The class that the decode head gives to single vectors (N, K, C), (N, K)."""
        head = self.decode_head
        maps = vectors.detach().flatten(0, 1)[:, :, None, None]
        modes = [(module, module.training) for module in head.modules()]
        head.eval()  # asking must not move batch statistics, nor depend on what else is asked
        try:
            logits = head([None] * head.in_index + [maps])
        finally:
            for module, mode in modes:
                module.training = mode
        return logits[:, :, 0, 0].argmax(dim=1).view(vectors.shape[:2])

    def stuff_of(self, vectors: Tensor, flags: Tensor) -> tuple[Tensor, Tensor]:
        """The part of the stuff regions of one image, (S, 1, C) and (S, 1)."""
        return vectors[: len(self.stuff), None], flags[: len(self.stuff), None]

    def things_of(self, vectors: Tensor, flags: Tensor) -> tuple[Tensor, Tensor]:
        """The part of the instances of one image, (T, instances, C) and (T, instances)."""
        shape = len(self.things), self.instances
        return vectors[len(self.stuff) :].unflatten(0, shape), flags[len(self.stuff) :].unflatten(0, shape)
