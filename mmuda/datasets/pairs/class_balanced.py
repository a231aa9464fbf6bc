"""Class-balanced order of the source images, in which rare classes are more frequent: the source list of FADA and SDCA.

A class is drawn, and then the next image that contains it. The weight of a class falls with its share q among the
classes of the images drawn so far: 1 / log(1.01 + q), the form of ENet's class weights (Paszke et al., arXiv
1606.02147).
"""

from collections.abc import Sequence

import numpy as np
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from mmuda.registry import SOURCE_ORDERS

from ..class_presence import classes_present
from .streams import SOURCE_STREAM

SUB_EPOCH = 3000
"""Number of draws after which the shares of the classes are counted from zero again."""


class ClassBalancedDraws:
    """Endless class-balanced draws, one sub-epoch at a time; see :func:`class_balanced_sequence` for the arguments."""

    def __init__(
        self,
        lists: Sequence[Sequence[int] | np.ndarray],
        presence: np.ndarray,
        random: np.random.RandomState,
        sub_epoch: int = SUB_EPOCH,
    ) -> None:
        presence = np.asarray(presence, dtype=bool)
        if presence.ndim != 2 or presence.shape[1] != len(lists):
            raise ValueError(f'presence must be (images, {len(lists)}) for {len(lists)} lists, but is {presence.shape}')
        if sub_epoch < 1:
            raise ValueError(f'sub_epoch must be at least 1 draw, but got {sub_epoch}')
        self._lists: list[np.ndarray] = [np.array(images, dtype=np.int32) for images in lists]  # copies, for shuffling
        if not any(images.size for images in self._lists):
            raise ValueError(
                'no image has any class: class-balanced draws need labels with at least one labelled pixel'
            )
        self._presence, self._random, self.sub_epoch = presence, random, sub_epoch
        self._num_classes_of = presence.sum(axis=1).tolist()
        # A class without images has no weight.
        self._weight_of_one = np.array([float(images.size > 0) for images in self._lists])
        self._next = [0] * len(self._lists)

    def next_block(self) -> np.ndarray:
        """Return the images of the next sub-epoch, (sub_epoch,) int32."""
        counts, total = np.zeros(len(self._lists)), 0
        weights = np.empty_like(counts)
        drawn = np.empty(self.sub_epoch, np.int32)
        for i in range(self.sub_epoch):
            np.divide(counts, total or 1, out=weights)
            np.add(weights, 1.01, out=weights)
            np.log(weights, out=weights)
            np.divide(self._weight_of_one, weights, out=weights)
            weights /= weights.sum()
            # The same draw as RandomState.choice(C, p=weights), without its checks, which take most of its time.
            bounds = weights.cumsum()
            bounds /= bounds[-1]
            image = self._take(int(bounds.searchsorted(self._random.random_sample(), side='right')))
            drawn[i] = image
            np.add(counts, self._presence[image], out=counts)
            total += self._num_classes_of[image]
        return drawn

    def _take(self, label: int) -> int:
        images, place = self._lists[label], self._next[label]
        if place >= len(images):
            self._random.shuffle(images)
            # As in the original code, a shuffled list of more than two images starts at index 1: the first is skipped.
            place = place % (len(images) - 1) if len(images) > 1 else 0
        self._next[label] = place + 1
        return int(images[place])


def class_balanced_sequence(
    lists: Sequence[Sequence[int]],
    presence: np.ndarray,
    num_draws: int,
    random: np.random.RandomState,
    sub_epoch: int = SUB_EPOCH,
) -> np.ndarray:
    """Return the class-balanced source list of FADA (Wang et al., ECCV 2020) and SDCA (arXiv 2105.05013).

    The rules are those of the authors' code. A sub-epoch, 3000 draws by default, begins with a histogram of zeros. For
    each draw, a class c is drawn with a probability proportional to 1 / log(1.01 + q_c). Here q is the normalised
    histogram of the classes in the images of this sub-epoch: each image adds 1 to each of its classes. The image is the
    next one in the list of class c; positions in the lists are kept across sub-epochs. At the end of a list, the list
    is shuffled and continues at its second image.

    Args:
        lists: C lists, the images of each class in their first order. A class without images has an empty list and is
            never drawn.
        presence: (images, C) bool, the classes that each image adds to the histogram.
        num_draws: Number of images to draw; the original code draws whole sub-epochs.
        random: NumPy's legacy generator, as in the original code. It is advanced by whole sub-epochs.
        sub_epoch: Number of draws in a sub-epoch.

    Returns:
        (num_draws,) int32 image indices.

    Raises:
        ValueError: If all lists are empty, ``lists`` and ``presence`` have different numbers of classes, or
            ``sub_epoch`` is less than 1.
    """
    draws = ClassBalancedDraws(lists, presence, random, sub_epoch)
    blocks = [draws.next_block() for _ in range(-(-num_draws // sub_epoch))]
    return np.concatenate(blocks)[:num_draws] if blocks else np.empty(0, np.int32)


@SOURCE_ORDERS.register_module()
class ClassBalancedOrder:
    """A source policy of :class:`DomainPairSampler`: the images of an endless :func:`class_balanced_sequence`.

    The image list of each class is shuffled once at the start, and images are used in the order of the draws. (The
    original code starts with lists in an arbitrary order, and shuffles all draws of the training afterwards.)

    The n-th image is a pure function of (seed, n). Only one sub-epoch is kept. To reach a later one, all sub-epochs
    before it are drawn at about 10 us per draw: a run that is resumed after 160 000 draws waits two seconds. An earlier
    one is drawn again from the start.

    All labels are read when it is built for the first time; see :func:`class_counts`. All processes must build it.

    Args:
        dataset: Labelled source data set, from the sampler.
        seed: Seed of the sampler.
        sub_epoch: Number of draws in a sub-epoch.
        min_pixels: Smallest number of pixels of a class with which an image is in the list of the class; 1 in the
            original.

    Raises:
        ValueError: If no label has a class, and as :func:`class_counts`.
    """

    def __init__(self, dataset: BaseSegDataset, seed: int, sub_epoch: int = SUB_EPOCH, min_pixels: int = 1) -> None:
        self.seed, self.sub_epoch = seed, sub_epoch
        self._presence = classes_present(dataset, min_pixels)
        absent = [
            name
            for name, there in zip(dataset.metainfo['classes'], np.any(self._presence, axis=0), strict=True)
            if not there
        ]
        if absent and is_main_process():
            print_log(f'no source image has the classes {", ".join(absent)}: they are not drawn', logger='current')
        self._rewind()

    def _rewind(self) -> None:
        random = np.random.RandomState(np.random.SeedSequence([self.seed, SOURCE_STREAM]).generate_state(4))
        lists = [random.permutation(np.flatnonzero(there)) for there in self._presence.T]
        self._draws = ClassBalancedDraws(lists, self._presence, random, self.sub_epoch)
        self._number, self._block = -1, np.empty(0, np.int32)

    def __getitem__(self, n: int) -> int:
        number, offset = divmod(n, self.sub_epoch)
        if number < self._number:
            self._rewind()
        while self._number < number:
            self._block = self._draws.next_block()
            self._number += 1
        return int(self._block[offset])
