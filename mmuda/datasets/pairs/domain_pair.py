"""A data set of domain pairs, made of an ordinary source and an ordinary target data set."""

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
    """Base of pairs and unions: a labelled source and a target data set with the same classes.

    Args:
        source: Data set (or its config) with labels. None uses the target alone, in subclasses that allow it
            (``SOURCE_OPTIONAL``).
        target: Data set (or its config). Its pipeline must not load ground truth; it can load pseudo labels.
        seed: Seed of the augmentation. A sampler replaces it with its own seed.
        pseudo_labels: Whether the target data set has pseudo labels. If it is False, a target sample with a label is an
            error: ground truth of the target must never reach a method.
        cache_bytes: Cache the results of the first steps of all pipelines, decoded and resized images and labels, in
            the cache folder; see :class:`CachedPipeline`. This is the maximum size of all cached samples in bytes, such
            as ``100e9``. Samples stay the same, bit for bit. None caches nothing.

    Raises:
        ValueError: If the data sets do not have the same classes, or nothing can be cached because the first step of a
            pipeline can be random.
        TypeError: If ``source`` is None and the class needs one.
        FileNotFoundError: If a data set does not exist or is empty.
        RuntimeError: When an item is read: if the target has a label and ``pseudo_labels`` is False.
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
        """Return the data sets by the name of their domain; without the source if there is none."""
        sides = {'source': self.source, 'target': self.target}
        return {side: dataset for side, dataset in sides.items() if dataset is not None}

    @property
    def metainfo(self) -> dict:
        """Meta information of the source, or of the target if there is no source."""
        return next(iter(self.sides().values())).metainfo

    def check_labels(self) -> None:
        """Check that the labels of the source, and of labelled target images, are not all ignored.

        The pipeline loads eight evenly spaced images, one after the other, until a label has a pixel of a class. If
        none has any, all labels are counted. Then :func:`check_classes_shown` checks that each class occurs. All
        processes must call it. The random draws of the training stay the same.

        Raises:
            ValueError: If all pixels of all labels are ignored: a network would learn nothing, at a loss of 0. Or if
                the foreground of masks with the values 0 and 255 is ignored.
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
        if class_counts(dataset).any():  # the labels are sparse, and the crops contained none of their pixels
            return
        raise ValueError(
            f'all pixels of the {len(dataset)} labels of the {side} are ignored ({IGNORE_INDEX}), one of which is '
            f'{sample.metainfo.get("seg_map_path")}: check that label_table and classes of the {side} fit its label '
            'files'
        )

    def read(self, side: str, n: int, image: int | DrawnImage) -> dict:
        """Read one image of one domain, with random generators seeded from (``seed``, n, domain).

        Args:
            side: Domain, a key of :meth:`sides`.
            n: Index of the item in the stream of the sampler.
            image: Index of the image, or a :class:`DrawnImage` with keys for its pipeline.

        Returns:
            ``{'inputs', 'data_samples'}``, as the pipeline packs them.

        Raises:
            RuntimeError: If the target has a label and ``pseudo_labels`` is False, or a labelled target image has none.
            ValueError: If a step needs a label, and the pipeline loads none.
        """
        with seeded(self.seed, n, _STREAMS[side]):
            packed = self._read_item(side, image)
        if side == 'target' and not self.pseudo_labels and 'gt_sem_seg' in (packed.get('data_samples') or ()):
            raise RuntimeError(
                f'the target pipeline loads ground truth ({packed["data_samples"].metainfo.get("seg_map_path")}): '
                'remove the step that loads annotations, or set pseudo_labels=True if these labels were made by a '
                'network'
            )
        if side == TARGET_LABELLED and 'gt_sem_seg' not in (packed.get('data_samples') or ()):
            sample = packed.get('data_samples')
            raise RuntimeError(
                f'the pipeline of {TARGET_LABELLED} gives no ground truth'
                f'{"" if sample is None else " for " + str(sample.metainfo.get("img_path"))}: add a step that loads '
                'annotations (LoadDomainAnnotations), and give the data set the label files (data_prefix, '
                'seg_map_suffix)'
            )
        return packed

    def _read_item(self, side: str, image: int | DrawnImage) -> Any:
        try:
            return read_item(self.sides()[side], image)
        except KeyError as error:
            step = failing_step(error)
            if error.args != ('gt_seg_map',) or step is None:
                raise
            remedy = 'add a step that loads labels before it'
            if side == 'target':
                remedy = f'remove {step} from the pipeline, or the option of this step that needs labels'
            raise ValueError(
                f'the pipeline of the {side} loads no label, which {step} needs (for RandomCrop, cat_max_ratio below '
                f'1): {remedy}'
            ) from error


def failing_step(error: BaseException) -> str | None:
    """Return the class name of the pipeline step that raised an error; None if no step did."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get('self')
        found = type(owner).__name__ if isinstance(owner, BaseTransform) else found
        trace = trace.tb_next
    return found


@DATASETS.register_module()
class DomainPairDataset(DomainSides):
    """A data set of pairs: a labelled source and an unlabelled target image, and optionally a labelled target image.

    An item is ``{'source': {'inputs', 'data_samples'}, 'target': {'inputs', 'data_samples'}}``, which mmengine's
    ``pseudo_collate`` batches as it is. An index is a tuple that :class:`DomainPairSampler` yields: (n, source index,
    target index). Each pipeline runs with random generators that are seeded from (``seed``, n, domain). The n-th pair
    is therefore the same for any number of workers, and after a resume. A :class:`DrawnImage` in place of an image
    index adds its keys to the sample. With None in place of an image index, the item has no image of this domain.

    The domains are independent streams. The length is that of the longer one of source and target, not their product.

    Args:
        *args: Arguments of :class:`DomainSides`.
        target_labelled: Data set (or its config) of target images with ground truth, for semi-supervised adaptation.
            They are a third stream: each item has a key ``'target_labelled'``, and each index a fourth entry. A few
            images are enough: they are repeated in another order and with another augmentation. They should not be
            images of the validation. Any :class:`BaseAdaptor` learns from them as from the source.
        **kwargs: Further arguments of :class:`DomainSides`.

    Raises:
        ValueError: If the data sets do not have the same classes.
        TypeError: If there is no source.
        FileNotFoundError: If a data set does not exist or is empty.
        RuntimeError: When an item is read: if the target has a label and ``pseudo_labels`` is False, or a labelled
            target image has none.
    """

    def __init__(self, *args: Any, target_labelled: dict | BaseDataset | None = None, **kwargs: Any) -> None:
        self.target_labelled: Any = None if target_labelled is None else build_dataset(target_labelled)
        super().__init__(*args, **kwargs)

    def sides(self) -> dict[str, BaseDataset]:
        """Return the data sets by the name of their domain, with ``'target_labelled'`` if there is one."""
        sides = super().sides()
        return sides if self.target_labelled is None else {**sides, TARGET_LABELLED: self.target_labelled}

    def check_validation(self, dataset: Dataset) -> None:
        """Log a warning if labelled target images are also in the data set of the validation."""
        common = [] if self.target_labelled is None else common_images(self.target_labelled, dataset)
        if common:
            print_log(
                f'{len(common)} images of {TARGET_LABELLED} are used for validation as well, so the scores are too '
                f'high ({", ".join(shortened(common, 8))}): train with labels of other images',
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
    """Return an item of a data set, after adding the keys of the draw to its sample.

    Args:
        dataset: An mmengine ``BaseDataset``, or a ``ConcatDataset`` of them.
        image: Index of the image, or a :class:`DrawnImage`. A plain index adds no keys.
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
    view = copy.copy(dataset)  # shares all large objects; the data set itself is not changed
    view.get_data_info = lambda idx: {**dataset.get_data_info(idx), **keys}
    return view[number]


@contextmanager
def seeded(*keys: int) -> Iterator[None]:
    """Seed the CPU generators of Python, NumPy and PyTorch from ``keys`` within the context, and restore them after."""
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
