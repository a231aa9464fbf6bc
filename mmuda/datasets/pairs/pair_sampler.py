"""The order in which domain pairs are drawn."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from mmseg.registry import DATA_SAMPLERS

from mmuda.constants import TARGET_LABELLED
from mmuda.registry import SOURCE_ORDERS

from .domain_pair import DomainPairDataset
from .streams import LABELLED_STREAM, SOURCE_STREAM, TARGET_STREAM, DrawnImage, Permutations, StreamSampler


@DATA_SAMPLERS.register_module()
class DomainPairSampler(StreamSampler):
    """An endless, sharded stream of (n, source index, target index), with a fourth for labelled target images.

    Each domain runs through its own endless sequence of random permutations, the source through that of a
    ``source_policy`` if there is one; so do labelled target images, if the data set has them, which come again as often
    as they must. The n-th pair is a pure function of (seed, n). Rank r of W draws
    n = r, r + W, r + 2W, ..., so W processes with batch size B see the batches of one process with batch size W * B.

    Args:
        dataset: A :class:`DomainPairDataset`; it takes over the seed for its augmentation.
        seed: Seed of order and augmentation. None draws one and shares it among ranks.
        shuffle: False walks both domains in order.
        source_policy: Config of another order of the source, such as ``dict(type='ClassBalancedOrder')`` or
            ``dict(type='RareClassOrder')``: from the registry ``SOURCE_ORDERS``, built with ``dataset`` (the source)
            and ``seed``, and giving the n-th source index as ``policy[n]``, a pure function of (seed, n); or a
            :class:`DrawnImage`, with keys for the pipeline of that image. None: random permutations.
        every: ``dict(source=2)`` gives every second item a source image, the others have a target image alone; a batch
            of 8 items then holds 4 source and 8 target images. Needs ``collate_fn=dict(type='union_collate')`` in the
            loader, and a batch size that is a multiple. Each domain still runs through all of its images. Methods that
            mix images one to one refuse such batches.

    Raises:
        TypeError: If the data set is another.
        ValueError: If a source policy is to be in order, or ``every`` is not of one domain and a whole number.
    """

    def __init__(
        self,
        dataset: DomainPairDataset,
        seed: int | None = None,
        shuffle: bool = True,
        source_policy: dict | None = None,
        every: Mapping[str, int] | None = None,
    ) -> None:
        if not isinstance(dataset, DomainPairDataset):
            raise TypeError(f'DomainPairSampler needs a DomainPairDataset, but got {type(dataset).__name__}')
        if source_policy is not None and not shuffle:
            raise ValueError(
                f'the source_policy {source_policy.get("type")} draws at random, which shuffle=False '
                'forbids: leave one of them out'
            )
        self.every = dict(every or {})
        if len(self.every) > 1 or any(
            side not in ('source', 'target') or not isinstance(step, int) or step < 1
            for side, step in self.every.items()
        ):
            raise ValueError(f'every={every!r}, expected a whole number for one domain, such as dict(source=2)')
        super().__init__(dataset, seed)
        if source_policy is None:
            source: Any = Permutations(len(dataset.source), self.seed, SOURCE_STREAM, shuffle)
        else:
            source = SOURCE_ORDERS.build(dict(source_policy), dataset=dataset.source, seed=self.seed)
        target = Permutations(len(dataset.target), self.seed, TARGET_STREAM, shuffle)
        self._orders = {'source': source, 'target': target}
        if dataset.target_labelled is not None:
            labelled = Permutations(len(dataset.target_labelled), self.seed, LABELLED_STREAM, shuffle)
            self._orders[TARGET_LABELLED] = labelled

    def __iter__(self) -> Iterator[tuple[int | DrawnImage | None, ...]]:
        for n in itertools.count(self.first, self.world_size):
            yield n, *(self._drawn(side, n, order) for side, order in self._orders.items())

    def _drawn(self, side: str, n: int, order: Any) -> Any:
        """Return the image of one domain in the n-th item; None if it has none."""
        step = self.every.get(side, 1)
        place, rest = divmod(n // self.world_size, step)  # of this process: all processes have as many images
        return None if rest else order[n if step == 1 else place * self.world_size + n % self.world_size]

    def __len__(self) -> int:
        """Samples of this rank in one pass over the longer domain."""
        return math.ceil(len(self.dataset) / self.world_size)
