"""Streams: endless orders of images, from which the samplers of domain pairs and unions draw.

The n-th image of a stream depends on the seed and on n alone.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from mmengine.dist import sync_random_seed
from torch.utils.data import Sampler

from mmuda.ranks import rank_and_world_size

SOURCE_STREAM, TARGET_STREAM, UNION_STREAM, LABELLED_STREAM = 1, 2, 3, 4
"""Keys of the streams. Each key seeds other random numbers."""


class DrawnImage(NamedTuple):
    """An image that was drawn, with data about the draw for its pipeline.

    Attributes:
        number: Index of the image in its data set.
        keys: Keys and values that are added to the sample before the pipeline.
    """

    number: int
    keys: Mapping[str, Any]


class StreamSampler(Sampler):
    """Base of endless samplers that shard one stream over processes and can skip a part of it.

    The n-th sample is a pure function of (seed, n). Rank r of W draws n = r, r + W, r + 2W, ..., so W processes with
    batch size B see the batches of one process with batch size W * B.

    Args:
        dataset: Data set to sample. Its ``seed``, which augmentation uses, is set to that of the sampler.
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
        """Index n in the stream at which this process starts."""
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
        """Do nothing. PyTorch's samplers have this method, but a stream is endless and has no epochs."""


class Permutations:
    """An endless sequence of random permutations of ``range(size)``. Only the current permutation is kept in memory.

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
