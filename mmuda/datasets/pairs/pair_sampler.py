"""Sampler of domain pairs."""

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
    """An endless stream of (n, source index, target index), shared out over processes.

    Source and target each have their own endless sequence of random permutations; a ``source_policy`` replaces that of
    the source. If the data set has labelled target images, they have a sequence of their own, too, and each item ends
    with a fourth entry: the index of a labelled target image. The n-th item is a pure function of (seed, n). Rank r of
    W draws n = r, r + W, r + 2W, ..., so W processes with batch size B see the batches of one process with batch size
    W * B.

    Args:
        dataset: A :class:`DomainPairDataset`. Its ``seed``, which augmentation uses, is set to that of the sampler.
        seed: Seed of order and augmentation. None draws one and shares it among processes.
        shuffle: False yields the images of each domain in order.
        source_policy: Config of another order of the source images, such as ``dict(type='ClassBalancedOrder')`` or
            ``dict(type='RareClassOrder')``, from the registry ``SOURCE_ORDERS``. It is built with ``dataset`` (the
            source) and ``seed``. ``policy[n]`` is the n-th source index, or a :class:`DrawnImage` with keys for the
            pipeline, and a pure function of (seed, n). None takes random permutations.
        every: ``dict(source=2)`` gives only every second item a source image; the others have a target image alone. A
            batch of 8 items then holds 4 source and 8 target images. The loader needs
            ``collate_fn=dict(type='union_collate')`` and a batch size that is a multiple of the number. Each domain
            still runs through all of its images. Methods that mix images one to one refuse such batches.

    Raises:
        TypeError: If the data set is of another type.
        ValueError: If ``source_policy`` is given with ``shuffle=False``, or ``every`` is not a positive whole number
            for one domain.
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
        """Return the image of one domain in the n-th item; None if the item has none."""
        step = self.every.get(side, 1)
        place, rest = divmod(
            n // self.world_size, step
        )  # counted in this process, so that all processes have equally many images
        return None if rest else order[n if step == 1 else place * self.world_size + n % self.world_size]

    def __len__(self) -> int:
        """Return the number of samples of each process in one pass over the longer domain."""
        return math.ceil(len(self.dataset) / self.world_size)
