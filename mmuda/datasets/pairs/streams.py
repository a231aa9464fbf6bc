"""Endless orders of images: what the samplers of domain pairs and of their union share."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from mmengine.dist import sync_random_seed
from torch.utils.data import Sampler

from mmuda.ranks import rank_and_world_size

SOURCE_STREAM, TARGET_STREAM, UNION_STREAM, LABELLED_STREAM = 1, 2, 3, 4
"""Each stream of random numbers has a key of its own."""


class DrawnImage(NamedTuple):
    """An image of a stream, and what its pipeline shall know about the draw.

    Attributes:
        number: Which image of the data set.
        keys: Further keys of the sample that enters the pipeline.
    """

    number: int
    keys: Mapping[str, Any]


class StreamSampler(Sampler):
    """Base of endless samplers that shard one stream over processes and can skip a part of it.

    The n-th sample is a pure function of (seed, n). Rank r of W draws n = r, r + W, r + 2W, ..., so W processes with
    batch size B see the batches of one process with batch size W * B.

    Args:
        dataset: Data set to sample; it takes over the seed for its augmentation.
        seed: Seed of order and augmentation. None draws one and shares it among processes.
    """

    def __init__(self, dataset: Any, seed: int | None) -> None:
        self.rank, self.world_size = rank_and_world_size()
        self.seed = sync_random_seed() if seed is None else seed
        self.dataset = dataset
        dataset.seed = self.seed
        self.start = 0

    @property
    def first(self) -> int:
        """Place n in the stream where this process starts."""
        return self.start * self.world_size + self.rank

    def skip(self, num_samples: int) -> None:
        """Start at sample ``num_samples`` of this process, counted from the start of the stream.

        mmengine's training loop calls it on resume. Nothing is loaded.

        Raises:
            ValueError: If the number is negative.
        """
        if num_samples < 0:
            raise ValueError(f'num_samples must not be negative, but got {num_samples}')
        self.start = num_samples

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: the stream has no epochs that a loop would count."""


class Permutations:
    """The n-th entry of an endless sequence of permutations of ``range(size)``; one of them is kept at a time.

    Args:
        size: Number of images.
        seed: Seed of the run.
        stream: Key of the stream, such as :data:`SOURCE_STREAM`.
        shuffle: False repeats ``range(size)`` instead.
    """

    def __init__(self, size: int, seed: int, stream: int, shuffle: bool) -> None:
        self.size, self.seed, self.stream, self.shuffle = size, seed, stream, shuffle
        self._epoch: int | None = None
        self._order = np.arange(size)

    def __getitem__(self, n: int) -> int:
        epoch, offset = divmod(n, self.size)
        if self.shuffle and epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng([self.seed, self.stream, epoch]).permutation(self.size)
        return int(self._order[offset])
