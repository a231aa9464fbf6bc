"""Two ordinary data sets become one of domain pairs."""

import bisect
import copy
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.logging import print_log
from mmseg.registry import DATASETS
from torch.utils.data import Dataset

from mmuda.constants import IGNORE_INDEX, TARGET_LABELLED
from mmuda.settings import shortened

from ..building import build_dataset
from ..cached_pipeline import keep_samples
from ..class_lists import differing_classes
from ..class_presence import class_counts
from ..label_check import check_classes_shown
from ..overlap import common_images
from .streams import LABELLED_STREAM, SOURCE_STREAM, TARGET_STREAM, DrawnImage

_STREAMS = {'source': SOURCE_STREAM, 'target': TARGET_STREAM, TARGET_LABELLED: LABELLED_STREAM}
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
        cache_bytes: Keep what the first steps of all pipelines make, decoded and resized images and labels, in the
            cache folder, up to so many bytes of all that it keeps (``100e9``); see :class:`CachedPipeline`. Pairs stay
            the same, bit for bit. None keeps nothing.

    Raises:
        ValueError: If the two sides do not have the same classes, or the first step of a pipeline may be a random one,
            so that nothing can be kept.
        TypeError: If there is no source, and it is needed.
        FileNotFoundError: If a side does not exist or is empty.
        RuntimeError: When an item is read, if the target has a label without ``pseudo_labels``.
    """

    SOURCE_OPTIONAL = False

    def __init__(
        self,
        source: dict | BaseDataset | None,
        target: dict | BaseDataset,
        seed: int = 0,
        pseudo_labels: bool = False,
        cache_bytes: float | None = None,
    ) -> None:
        if source is None and not self.SOURCE_OPTIONAL:
            raise TypeError(
                f'{type(self).__name__} needs a source: give it one, or train with the images of the target '
                'alone in a DomainUnionDataset with source=None'
            )
        self.source: Any = None if source is None else build_dataset(source)
        self.target: Any = build_dataset(target)
        self.seed, self.pseudo_labels = seed, pseudo_labels
        check_classes(self.sides())
        if cache_bytes is not None:
            keep_samples(self, cache_bytes)

    def sides(self) -> dict[str, BaseDataset]:
        """The data sets by domain; those that there are."""
        sides = {'source': self.source, 'target': self.target}
        return {side: dataset for side, dataset in sides.items() if dataset is not None}

    @property
    def metainfo(self) -> dict:
        """Meta information of the source, which has the labels; of the target, if it is alone."""
        return next(iter(self.sides().values())).metainfo

    def check_labels(self) -> None:
        """Check that labels of the source, and of labelled target images, have pixels of classes.

        See also :func:`check_classes_shown`.

        Eight evenly spaced images are read, up to the first one with a labelled pixel; if none has any, all labels are
        counted. All processes must call it. The random draws of the training stay the same.

        Raises:
            ValueError: If all pixels of all labels are ignored: a network would learn nothing, at a loss of 0. Or if
                the foreground of 0/255 masks is.
        """
        for side, dataset in self.sides().items():
            if side != 'target':
                self._check_crops(side, dataset)
                check_classes_shown(dataset, side)

    def _check_crops(self, side: str, dataset: Any) -> None:
        places = sorted({place * len(dataset) // _LOOKED_AT for place in range(_LOOKED_AT)})
        for place in places:
            with seeded(self.seed, place, _STREAMS[side]):
                sample = dataset[place].get('data_samples')
            if sample is None or 'gt_sem_seg' not in sample or bool((sample.gt_sem_seg.data != IGNORE_INDEX).any()):
                return
        if class_counts(dataset).any():  # sparse labels, which the crops missed
            return
        raise ValueError(
            f'all pixels of the {len(dataset)} labels of the {side} are ignored ({IGNORE_INDEX}), one of which is '
            f'{sample.metainfo.get("seg_map_path")}: do label_table and classes of the {side} fit its label files?'
        )

    def read(self, side: str, n: int, image: int | DrawnImage) -> dict:
        """One image of one side, with generators seeded from (``seed``, n, side).

        Args:
            side: A key of :meth:`sides`.
            n: Place in the stream of items.
            image: Which image, or also what its pipeline shall know.
        """
        with seeded(self.seed, n, _STREAMS[side]):
            packed = self._read_item(side, image)
        if side == 'target' and not self.pseudo_labels and 'gt_sem_seg' in (packed.get('data_samples') or ()):
            raise RuntimeError(
                f'the target pipeline loads ground truth ({packed["data_samples"].metainfo.get("seg_map_path")}): '
                'remove the step that loads annotations, or say pseudo_labels=True if these labels were made by a '
                'network'
            )
        if side == TARGET_LABELLED and 'gt_sem_seg' not in (packed.get('data_samples') or ()):
            sample = packed.get('data_samples')
            raise RuntimeError(
                f'the pipeline of {TARGET_LABELLED} gives no ground truth'
                f'{"" if sample is None else " for " + str(sample.metainfo.get("img_path"))}: let it load annotations '
                '(LoadDomainAnnotations), and the data set name its label files (data_prefix, seg_map_suffix)'
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
    """A labelled source and an unlabelled target image for every index, and a labelled target image if there are any.

    An item is ``{'source': {'inputs', 'data_samples'}, 'target': {'inputs', 'data_samples'}}``, which mmengine's
    ``pseudo_collate`` batches as it is. It is indexed by what a :class:`DomainPairSampler` yields, (n, source
    index, target index), and each side's pipeline runs with generators seeded from (``seed``, n, side): the n-th pair
    is the same for any number of workers, and after a resume. In place of an index may stand a :class:`DrawnImage`,
    whose keys the pipeline finds in the sample; with None, the item has no image of that domain.

    The sides are independent streams; the length is that of the longer of source and target, never the product.

    Args:
        *args: Of :class:`DomainSides`.
        target_labelled: Data set (or its config) of target images with ground truth, for semi-supervised adaptation: a
            third stream, ``'target_labelled'``, of which every item and index has one more. A few images are enough;
            they come again and again, each pass in another order and with another augmentation. They should not be
            those of the validation. Any :class:`BaseAdaptor` learns them as it learns the source.
        **kwargs: Of :class:`DomainSides`.

    Raises:
        ValueError: If the sides do not have the same classes.
        TypeError: If there is no source.
        FileNotFoundError: If a side does not exist or is empty.
        RuntimeError: When an item is read, if the target has a label without ``pseudo_labels``, or a labelled target
            image has none.
    """

    def __init__(self, *args: Any, target_labelled: dict | BaseDataset | None = None, **kwargs: Any) -> None:
        self.target_labelled: Any = None if target_labelled is None else build_dataset(target_labelled)
        super().__init__(*args, **kwargs)

    def sides(self) -> dict[str, BaseDataset]:
        """The data sets by domain, with ``'target_labelled'`` if there are labelled target images."""
        sides = super().sides()
        return sides if self.target_labelled is None else {**sides, TARGET_LABELLED: self.target_labelled}

    def check_validation(self, dataset: Dataset) -> None:
        """Warn if labelled target images are among those of a validation."""
        common = [] if self.target_labelled is None else common_images(self.target_labelled, dataset)
        if common:
            print_log(
                f'{len(common)} images of {TARGET_LABELLED} are validated on as well, so the scores promise too much '
                f'({", ".join(shortened(common, 8))}): train with labels of other images',
                'current',
                level=logging.WARNING,
            )

    def __len__(self) -> int:
        return max(len(self.source), len(self.target))

    def __getitem__(self, index: tuple[Any, ...]) -> dict[str, dict]:
        n, *images = index
        drawn = zip(self.sides(), images, strict=True)
        return {side: self.read(side, n, image) for side, image in drawn if image is not None}


def check_classes(sides: dict[str, BaseDataset]) -> None:
    """Check that all data sets have the same classes in the same order.

    Raises:
        ValueError: If two of them differ.
    """
    classes = {side: tuple(dataset.metainfo.get('classes', ())) for side, dataset in sides.items()}
    different = differing_classes(classes)
    if different:
        first, other = different
        raise ValueError(
            f'{first} and {other} must have the same classes in the same order, but got {classes[first]} and '
            f'{classes[other]}: set metainfo=dict(classes=...) on both'
        )


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
