"""Two ordinary data sets become one of domain pairs."""

import bisect
import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset, ConcatDataset
from mmseg.registry import DATASETS
from torch.utils.data import Dataset

from mmuda.constants import IGNORE_INDEX

from ..building import build_dataset
from ..class_presence import class_counts
from ..label_check import check_classes_shown
from .streams import SOURCE_STREAM, TARGET_STREAM, DrawnImage

_LOOKED_AT = 8


class DomainSides(Dataset):
    """A labelled source and a target data set that agree on their classes; what pairs and mixtures share.

    Args:
        source: Data set (or its config) with labels. None, if the kind of data set does without (``SOURCE_OPTIONAL``):
            the target alone.
        target: Data set (or its config). Its pipeline must not load annotations; images come without ground truth,
            or with pseudo labels that were written for them.
        seed: Seed of the augmentation; the sampler sets it to its own.
        pseudo_labels: The target data set holds labels that were made for it. Otherwise a label that comes out of its
            pipeline is an error: ground truth of the target must never reach a method.

    Raises:
        ValueError: If the two sides do not have the same classes.
        TypeError: If there is no source, and it is needed.
        FileNotFoundError: If a side does not exist or is empty.
        RuntimeError: When an item is read, if the target has a label without ``pseudo_labels``.
    """

    SOURCE_OPTIONAL = False

    def __init__(
        self, source: dict | BaseDataset | None, target: dict | BaseDataset, seed: int = 0, pseudo_labels: bool = False
    ) -> None:
        if source is None and not self.SOURCE_OPTIONAL:
            raise TypeError(
                f'{type(self).__name__} needs a source: give it one, or train with the images of the target '
                'alone in a DomainUnionDataset with source=None'
            )
        self.source: Any = None if source is None else build_dataset(source)
        self.target: Any = build_dataset(target)
        self.seed, self.pseudo_labels = seed, pseudo_labels
        classes = {side: tuple(dataset.metainfo.get('classes', ())) for side, dataset in self.sides().items()}
        if classes.get('source', classes['target']) != classes['target']:
            raise ValueError(
                f'source and target must have the same classes in the same order, but got '
                f'{classes["source"]} and {classes["target"]}: set metainfo=dict(classes=...) on both'
            )

    def sides(self) -> dict[str, BaseDataset]:
        """The data sets by domain; those that there are."""
        sides = {'source': self.source, 'target': self.target}
        return {side: dataset for side, dataset in sides.items() if dataset is not None}

    @property
    def metainfo(self) -> dict:
        """Meta information of the source, which has the labels; of the target, if it is alone."""
        return next(iter(self.sides().values())).metainfo

    def check_labels(self) -> None:
        """Check that labels of the source have pixels of classes, see also :func:`check_classes_shown`.

        Eight evenly spaced images are read, up to the first one with a labelled pixel; if none has any, all labels are
        counted. All processes must call it. The random draws of the training stay the same.

        Raises:
            ValueError: If all pixels of all labels are ignored: a network would learn nothing, at a loss of 0. Or if
                the foreground of 0/255 masks is.
        """
        if self.source is None:
            return
        self._check_crops()
        check_classes_shown(self.source, 'source')

    def _check_crops(self) -> None:
        places = sorted({place * len(self.source) // _LOOKED_AT for place in range(_LOOKED_AT)})
        for place in places:
            with seeded(self.seed, place, SOURCE_STREAM):
                sample = self.source[place].get('data_samples')
            if sample is None or 'gt_sem_seg' not in sample or bool((sample.gt_sem_seg.data != IGNORE_INDEX).any()):
                return
        if class_counts(self.source).any():  # sparse labels, which the crops missed
            return
        raise ValueError(
            f'all pixels of the {len(self.source)} labels of the source are ignored ({IGNORE_INDEX}), one of which is '
            f'{sample.metainfo.get("seg_map_path")}: do label_table and classes of the source fit its label files?'
        )

    def read(self, side: str, n: int, image: int | DrawnImage) -> dict:
        """One image of one side, with generators seeded from (``seed``, n, side).

        Args:
            side: ``'source'`` or ``'target'``.
            n: Place in the stream of items.
            image: Which image, or also what its pipeline shall know.
        """
        with seeded(self.seed, n, SOURCE_STREAM if side == 'source' else TARGET_STREAM):
            packed = self._read_item(side, image)
        if side == 'target' and not self.pseudo_labels and 'gt_sem_seg' in (packed.get('data_samples') or ()):
            raise RuntimeError(
                f'the target pipeline loads ground truth ({packed["data_samples"].metainfo.get("seg_map_path")}): '
                'remove the step that loads annotations, or say pseudo_labels=True if these labels were made by a '
                'network'
            )
        return packed

    def _read_item(self, side: str, image: int | DrawnImage) -> Any:
        try:
            return read_item(self.sides()[side], image)
        except KeyError as error:
            step = failing_step(error)
            if error.args != ('gt_seg_map',) or step is None:
                raise
            remedy = 'give it a step that loads labels before'
            if side == 'target':
                remedy = f'leave {step} out of its pipeline, or the option of it that looks at labels'
            raise ValueError(
                f'the pipeline of the {side} loads no label, which {step} needs (for RandomCrop, cat_max_ratio below '
                f'1): {remedy}'
            ) from error


def failing_step(error: BaseException) -> str | None:
    """Return the name of the step of a pipeline that an error was raised in; None if it was in none."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get('self')
        found = type(owner).__name__ if isinstance(owner, BaseTransform) else found
        trace = trace.tb_next
    return found


@DATASETS.register_module()
class DomainPairDataset(DomainSides):
    """A labelled source and an unlabelled target image for every index.

    An item is ``{'source': {'inputs', 'data_samples'}, 'target': {'inputs', 'data_samples'}}``, which mmengine's
    ``pseudo_collate`` batches as it is. It is indexed by what a :class:`DomainPairSampler` yields, (n, source
    index, target index), and each side's pipeline runs with generators seeded from (``seed``, n, side): the n-th pair
    is the same for any number of workers, and after a resume. In place of an index may stand a :class:`DrawnImage`,
    whose keys the pipeline finds in the sample; with None, the item has no image of that domain.

    The two sides are independent streams; the length is that of the longer one, never the product. Arguments and
    errors are those of :class:`DomainSides`.
    """

    def __len__(self) -> int:
        return max(len(self.source), len(self.target))

    def __getitem__(self, index: tuple[int, int | DrawnImage | None, int | DrawnImage | None]) -> dict[str, dict]:
        n, *images = index
        drawn = zip(('source', 'target'), images, strict=True)
        return {side: self.read(side, n, image) for side, image in drawn if image is not None}


def read_item(dataset: Any, image: int | DrawnImage) -> Any:
    """Return an item of a data set whose pipeline finds the keys of the draw in the sample.

    Args:
        dataset: An mmengine ``BaseDataset``, or a ``ConcatDataset`` of them.
        image: Which image; a plain index brings no keys.
    """
    if not isinstance(image, DrawnImage):
        return dataset[image]
    number, keys = image
    if not keys:
        return dataset[number]
    if isinstance(dataset, ConcatDataset):
        part = bisect.bisect_right(dataset.cumulative_sizes, number)
        start = dataset.cumulative_sizes[part - 1] if part else 0
        return read_item(dataset.datasets[part], DrawnImage(number - start, keys))
    view = copy.copy(dataset)  # shares all that is large; the data set itself stays as it is
    view.get_data_info = lambda idx: {**dataset.get_data_info(idx), **keys}
    return view[number]


@contextmanager
def seeded(*keys: int) -> Iterator[None]:
    """Python's, NumPy's and PyTorch's CPU generators are a pure function of the keys inside, untouched outside."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    entropy = np.random.SeedSequence([key & 0xFFFFFFFF for key in keys]).generate_state(3)
    random.seed(int(entropy[0]))
    np.random.seed(int(entropy[1]))
    torch.default_generator.manual_seed(int(entropy[2]))
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
