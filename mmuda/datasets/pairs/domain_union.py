"""Batches of images drawn from the union of both domains, or from the target alone, for self-training."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.registry import FUNCTIONS
from mmseg.registry import DATA_SAMPLERS, DATASETS

from mmuda.constants import TARGET_LABELLED

from .domain_pair import DomainSides
from .streams import UNION_STREAM, Permutations, StreamSampler

SIDES = ('source', 'target')


@DATASETS.register_module(name=['DomainUnionDataset', 'DomainMixDataset'])
class DomainUnionDataset(DomainSides):
    """The union of source and target: each image of either domain is an item. It can also hold the target alone.

    CBST trains with both domains. The last stages of FADA (self-distillation) and SDCA train with the target and its
    pseudo labels alone.

    An item is ``{'source': {'inputs', 'data_samples'}}`` or ``{'target': {...}}``, and :func:`union_collate` batches
    items by domain. An index is a tuple that :class:`DomainUnionSampler` yields: (n, domain, image index). The pipeline
    runs with random generators that are seeded from (``seed``, n, domain). The n-th item is therefore the same for any
    number of workers, and after a resume. The length is the sum of the lengths of both domains.

    Args:
        source: As in :class:`DomainSides`; None to train with the target alone.
        target: As in :class:`DomainSides`; normally a :class:`PseudoLabelDataset`.
        pseudo_labels: Whether the target data set has pseudo labels. If it is False, a target label is an error.
        **kwargs: Further arguments of :class:`DomainSides`.

    Raises:
        ValueError: If the two data sets do not have the same classes.
        FileNotFoundError: If a data set does not exist or is empty.
        RuntimeError: When an item is read: if the target has a label and ``pseudo_labels`` is False.
    """

    SOURCE_OPTIONAL = True

    def __init__(
        self, source: dict | BaseDataset | None, target: dict | BaseDataset, pseudo_labels: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(source, target, pseudo_labels=pseudo_labels, **kwargs)

    def __len__(self) -> int:
        return sum(map(len, self.sides().values()))

    def __getitem__(self, index: tuple[int, str, int]) -> dict[str, dict]:
        n, side, image = index
        return {side: self.read(side, n, image)}


@DATA_SAMPLERS.register_module(name=['DomainUnionSampler', 'DomainMixSampler'])
class DomainUnionSampler(StreamSampler):
    """An endless stream of (n, domain, image index) from permutations of the union, shared out over processes.

    Every epoch is one random permutation of all images, without the last few that do not fill an iteration (CBST drops
    the incomplete last batch). The n-th item is a pure function of (seed, n). Rank r of W draws n = r, r + W, ..., so W
    processes with batch size B see the batches of one process with batch size W * B.

    Args:
        dataset: A :class:`DomainUnionDataset`. Its ``seed``, which augmentation uses, is set to that of the sampler.
        seed: Seed of order and augmentation. None draws one and shares it among processes.
        shuffle: False yields the source, if there is one, and then the target, both in order.
        drop_to: Number of images in one iteration of all processes together. The length of an epoch is cut to a
            multiple of it. 1 drops no image.

    Raises:
        TypeError: If the data set is of another type.
        ValueError: If there are fewer images than ``drop_to``, or it is not positive.
    """

    def __init__(
        self, dataset: DomainUnionDataset, seed: int | None = None, shuffle: bool = True, drop_to: int = 1
    ) -> None:
        if not isinstance(dataset, DomainUnionDataset):
            raise TypeError(f'DomainUnionSampler needs a DomainUnionDataset, but got {type(dataset).__name__}')
        if not 1 <= drop_to <= len(dataset):
            raise ValueError(
                f'drop_to is the number of images per iteration, at least 1 and at most the {len(dataset)} images that '
                f'there are, but got {drop_to}: choose a smaller batch, or more images'
            )
        super().__init__(dataset, seed)
        self.epoch_length = len(dataset) // drop_to * drop_to
        self._order = Permutations(len(dataset), self.seed, UNION_STREAM, shuffle)

    def __iter__(self) -> Iterator[tuple[int, str, int]]:
        num_source = len(self.dataset) - len(self.dataset.target)
        for n in itertools.count(self.first, self.world_size):
            epoch, offset = divmod(n, self.epoch_length)
            image = self._order[epoch * len(self.dataset) + offset]
            yield (n, 'source', image) if image < num_source else (n, 'target', image - num_source)

    def __len__(self) -> int:
        """Return the number of samples of each process in one epoch."""
        return math.ceil(self.epoch_length / self.world_size)


@FUNCTIONS.register_module(name=['union_collate', 'mixed_collate'])
def union_collate(items: Sequence[dict[str, dict]]) -> dict[str, dict]:
    """Batch items that do not all have the same domains, as those of a :class:`DomainUnionDataset`.

    Args:
        items: Each has one or more of the keys ``'source'``, ``'target'`` and ``'target_labelled'``. Other keys are
            dropped.

    Returns:
        ``{domain: batch}`` with the batches that ``pseudo_collate`` makes, source first. A domain without items is left
        out: a batch can consist of source images alone.
    """
    packed: dict[str, list[dict]] = {
        side: [item[side] for item in items if side in item] for side in (*SIDES, TARGET_LABELLED)
    }
    return {side: pseudo_collate(batch) for side, batch in packed.items() if batch}


def source_subset(seed: int, n: int, m: int) -> np.ndarray:
    """Return the source images that CBST trains with in a round: the first m of a random permutation of n images.

    A round is one labelling and one training on these labels. If all rounds have the same seed (the policy
    "cumulative"), a larger subset contains the smaller ones.

    Args:
        seed: Seed of NumPy's legacy generator, which the original code uses.
        n: Number of source images.
        m: Number of images to take.

    Returns:
        (m,) int64 indices.

    Raises:
        ValueError: If m is not in 1..n.
    """
    if not 1 <= m <= n:
        raise ValueError(
            f'{m} of {n} source images cannot be chosen: the portion of the source must give at least one '
            'image and at most all'
        )
    return np.random.RandomState(seed).permutation(n)[:m]
