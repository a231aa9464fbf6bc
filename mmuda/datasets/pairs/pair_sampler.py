"""The order in which domain pairs are drawn."""

import math
from collections.abc import Iterator

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmseg.registry import DATA_SAMPLERS, TASK_UTILS
from torch.utils.data import Sampler

from .domain_pair import SOURCE_STREAM, TARGET_STREAM, DomainPairDataset


@DATA_SAMPLERS.register_module()
class DomainPairSampler(Sampler):
    """An endless, sharded stream of (n, source index, target index).

    Each domain runs through its own endless sequence of random permutations, the source through that of a
    ``source_policy`` if there is one; the n-th pair is a pure function of (seed, n). Rank r of W draws
    n = r, r + W, r + 2W, ..., so W processes with batch size B see the batches of one process with batch size W * B.

    Args:
        dataset: A :class:`DomainPairDataset`; it takes over the seed for its augmentation.
        seed: Seed of order and augmentation. None draws one and shares it among ranks.
        shuffle: False walks both domains in order.
        source_policy: Config of another order of the source, such as ``dict(type='ClassBalancedOrder')``: from
            ``TASK_UTILS``, built with ``dataset`` (the source) and ``seed``, and giving the n-th source index as
            ``policy[n]``, a pure function of (seed, n). None: random permutations.

    Raises:
        TypeError: If the data set is another.
        ValueError: If a source policy is to be in order.
    """

    def __init__(
        self,
        dataset: DomainPairDataset,
        seed: int | None = None,
        shuffle: bool = True,
        source_policy: dict | None = None,
    ) -> None:
        if not isinstance(dataset, DomainPairDataset):
            raise TypeError(f'DomainPairSampler needs a DomainPairDataset, but got {type(dataset).__name__}')
        if source_policy is not None and not shuffle:
            raise ValueError(
                f'the source_policy {source_policy.get("type")} draws at random, which shuffle=False '
                'forbids: leave one of them out'
            )
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.dataset = dataset
        dataset.seed = self.seed
        self.start = 0
        if source_policy is None:
            self._source = _Permutations(len(dataset.source), self.seed, SOURCE_STREAM, shuffle)
        else:
            self._source = TASK_UTILS.build(
                dict(source_policy), default_args=dict(dataset=dataset.source, seed=self.seed)
            )
        self._target = _Permutations(len(dataset.target), self.seed, TARGET_STREAM, shuffle)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        n = self.start * self.world_size + self.rank
        while True:
            yield n, self._source[n], self._target[n]
            n += self.world_size

    def __len__(self) -> int:
        """Samples of this rank in one pass over the longer domain."""
        return math.ceil(len(self.dataset) / self.world_size)

    def skip(self, num_samples: int) -> None:
        """Start at sample ``num_samples`` of this rank, counted from the start of the stream.

        mmengine's training loop calls it on resume. It costs nothing with permutations; a source policy may have to
        go through what is skipped when the first sample is taken.
        """
        if num_samples < 0:
            raise ValueError(f'num_samples must not be negative, but got {num_samples}')
        self.start = num_samples

    def set_epoch(self, epoch: int) -> None:
        """The stream has no epochs."""


class _Permutations:
    """The n-th entry of an endless sequence of permutations of ``range(size)``; keeps one of them."""

    def __init__(self, size: int, seed: int, stream: int, shuffle: bool) -> None:
        self.size, self.seed, self.stream, self.shuffle = size, seed, stream, shuffle
        self._epoch: int | None = None

    def __getitem__(self, n: int) -> int:
        epoch, offset = divmod(n, self.size)
        if not self.shuffle:
            return offset
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng([self.seed, self.stream, epoch]).permutation(self.size)
        return int(self._order[offset])
