"""Reader of data sets as they were published, and of own folders."""

import os.path as osp
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log
from mmseg.registry import DATASETS

from ..cached_pipeline import keep_samples
from ..class_maps import classes_of
from ..classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE
from ..image_files import MAX_PIXELS
from ..label_tables import LabelTable, get_label_table, identity_table, shifted_table
from .checked_dataset import CheckedSegDataset
from .folders import (
    LabelNames,
    Suffixes,
    image_names,
    list_folder,
    read_list,
    stem_of,
    told_counts,
    told_suffixes,
    with_slices,
)

LONE_LABELS = 'label(s) without an image'
"""Key of ``RawSegDataset.left_out``, which counts the files that are not read, by reason."""


@DATASETS.register_module()
class RawSegDataset(CheckedSegDataset):
    """mmseg's ``BaseSegDataset`` for label files with their published ids, and for own folders.

    Images are below ``data_prefix['img_path']``. Labels have the same names, except for the suffix, and are below
    ``data_prefix['seg_map_path']``. Without the latter the data set is unlabelled. Use it with
    ``LoadDomainAnnotations``, which finds ``label_table`` and ``label_channel`` in each sample. To train with fewer
    classes, set ``metainfo=dict(classes=...)``, for example to ``SYNTHIA16``, or ``class_map``, which can also merge
    classes. Set the same on source and target.

    Own data::

        dict(type='RawSegDataset', data_root='data/mine', label_classes=('background', 'crack'),
             label_table={0: 0, 255: 1})

    Before training, the sizes of all images and labels are compared. Only headers are read, and the result is cached.

    Args:
        label_table: Name of a label table, or a dict ``{raw id: train id}`` or ``{(red, green, blue): train id}``. None
            means Cityscapes ids; with ``label_classes`` it means train ids, and 255 for ignored pixels; with
            ``reduce_zero_label=True`` it means that 0 is ignored and the first class is 1.
        label_channel: Index of the channel that holds the ids in multi-channel label files, in RGB order.
        label_classes: Names of the classes, by train id, if they are not the 19 of Cityscapes. A palette can be given
            as ``metainfo=dict(palette=...)``.
        class_map: Classes to merge or leave out: ``{new name: old name, or list of old names}``. Classes that are not
            listed are ignored.
        check_sizes: Compare sizes and find missing files when the data set is built.
        mismatched: Treatment of pairs that differ in size, or that have a missing or unreadable file. ``'error'`` lists
            them in one error, ``'skip'`` leaves them out and lists them in the log.
        same_size: Whether the files of image and label must have the same size. False is for translated copies of
            images: the sizes can differ if the pipeline gives both the same size (``Resize`` with
            ``keep_ratio=False``), which is checked for each sample.
        max_pixels: Images and labels with more pixels, according to their headers, are refused before they are decoded.
            None allows any size.
        outside_root: True allows names in ``ann_file`` that lead out of ``data_root``, by ``..`` or as absolute paths.
            False is safer, because a list from somebody else could name any file of this machine.
        data_prefix: Folders of images and labels, relative to ``data_root``.
        img_suffix: Suffix of image names, or several, compared regardless of case. None takes all images, see
            :data:`~mmuda.datasets.image_files.IMAGE_SUFFIXES`. Other files are left out and counted in the log.
        seg_map_suffix: Suffix of label names, or several. None takes the label of the same name with any suffix.
        metainfo: As in mmseg. Classes that are not among those of this reader are allowed if ``label_table`` is a dict.
        cache_bytes: Cache decoded and resized samples, up to this many bytes; see :class:`DomainSides`, which has the
            same option for data sets of any type.
        **kwargs: Further arguments of :class:`mmseg.datasets.BaseSegDataset`.

    Raises:
        FileNotFoundError: If a folder or the list in ``ann_file`` does not exist, or there is no image.
        ValueError: If pairs do not match, an image has several labels, the label table does not fit the classes,
            arguments contradict each other, or the list names a file outside of ``data_root``.
    """

    METAINFO = dict(classes=CITYSCAPES_CLASSES, palette=CITYSCAPES_PALETTE)

    img_suffix: Suffixes
    parts: Sequence[str] = ()
    """Subfolders that are read, below the folders of images and of labels; empty means all."""

    def __init__(
        self,
        label_table: str | Mapping | LabelTable | None = None,
        label_channel: int | None = None,
        label_classes: Sequence[str] | None = None,
        class_map: Mapping[str, str | Sequence[str]] | None = None,
        check_sizes: bool = True,
        mismatched: str = 'error',
        same_size: bool = True,
        max_pixels: int | None = MAX_PIXELS,
        outside_root: bool = False,
        data_prefix: Mapping = dict(img_path='images', seg_map_path='labels'),
        img_suffix: Suffixes = None,
        seg_map_suffix: Suffixes = None,
        metainfo: Mapping | None = None,
        reduce_zero_label: bool = False,
        cache_bytes: float | None = None,
        **kwargs: Any,
    ) -> None:
        if mismatched not in ('error', 'skip'):
            raise ValueError(f"mismatched must be 'error' or 'skip', but got {mismatched!r}")
        if not same_size and kwargs.get('test_mode'):
            raise ValueError(
                'same_size=False is for training, without test_mode: in a test, label and image must have the same size'
            )
        if (metainfo or {}).get('classes') is not None and (label_classes is not None or class_map is not None):
            raise ValueError(
                'give label_classes or class_map, or classes in metainfo (a subset of the 19 of Cityscapes), not both'
            )
        if label_classes is None:
            label_classes = self._own_classes(metainfo, label_table)
        metainfo, self._own_map = classes_of(self.METAINFO, dict(metainfo or {}), label_classes, class_map)
        if label_table is None:
            label_table = self._default_table(label_classes, reduce_zero_label)
            reduce_zero_label = False
        self.label_table = get_label_table(label_table)
        self.label_channel = label_channel
        self.check_sizes = check_sizes
        self.mismatched = mismatched
        self.same_size = same_size
        self.max_pixels = max_pixels
        self.outside_root = outside_root
        self.left_out: Counter[str] = Counter()
        super().__init__(
            data_prefix={key: path for key, path in data_prefix.items() if path is not None},
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            metainfo=metainfo or None,
            reduce_zero_label=reduce_zero_label,
            **kwargs,
        )
        if cache_bytes is not None:
            keep_samples(self, cache_bytes)

    def _own_classes(self, metainfo: Mapping | None, label_table: Any) -> Sequence[str] | None:
        """Return the classes in metainfo if some of them are not classes of this reader; else None."""
        given, known = (metainfo or {}).get('classes'), self.METAINFO['classes']
        unknown = [name for name in given or () if name not in known]
        if unknown and not isinstance(label_table, Mapping):
            raise ValueError(
                f'{self._name}: metainfo has the classes {unknown}, which are not among {list(known)}. If these '
                'are names of your own, give all of them, by train id, as label_classes=(...)'
            )
        return given if unknown else None

    def _default_table(self, label_classes: Sequence[str] | None, zero_ignored: bool) -> str | LabelTable:
        """Return the label table that is used if the config names none."""
        names = self.METAINFO['classes'] if label_classes is None else label_classes
        if zero_ignored:
            return shifted_table('train_ids from 1', len(names))
        return 'cityscapes' if label_classes is None else identity_table('train_ids', len(names))

    @property
    def label_map(self) -> dict[int, int] | None:
        """Map from the train ids of the label table to those of this data set's classes; None if they are the same."""
        return self._label_map

    @label_map.setter
    def label_map(self, found: dict[int, int] | None) -> None:
        # mmseg sets the result of a class method, which cannot depend on the classes of one instance.
        self._label_map = found if self._own_map is None else self._own_map[0]

    @classmethod
    def get_label_map(cls, new_classes: Sequence | None = None) -> dict[int, int] | None:
        """Return mmseg's map; None for classes of other names, whose map the instance holds."""
        if new_classes is not None and not set(new_classes) <= set(cls.METAINFO['classes']):
            return None
        return super().get_label_map(new_classes)

    def load_data_list(self) -> list[dict]:
        """Return the samples, sorted by image name, or in the order of the list."""
        self._check_table()
        self.check_folders()
        names = self._names()
        data_list = [
            dict(
                img_path=osp.join(self._img_dir, image),
                **({} if label is None else dict(seg_map_path=osp.join(self.data_prefix['seg_map_path'], label))),
                label_map=self.label_map,
                reduce_zero_label=self.reduce_zero_label,
                seg_fields=[],
            )
            for image, label in (with_slices(names, self._img_dir) if self._local else names)
        ]
        if self.left_out:
            print_log(
                f'{self._name}: left out in {self._img_dir}, because of their names: {told_counts(self.left_out)}',
                logger='current',
            )
        if not data_list:
            raise FileNotFoundError(
                f'{self._name} found no image named {told_suffixes(self.img_suffix)} in '
                f'{self.ann_file or self._img_dir}. {self._expected}'
            )
        return data_list

    def _names(self) -> list[tuple[str, str | None]]:
        """Return the names of images and of their labels, below the two folders."""
        if self.ann_file:
            lines = [line.strip() for line in read_list(self.ann_file, self.backend_args)]
            for number, line in enumerate(lines, start=1):
                self.check_listed(line, self._img_dir, number)
            images = image_names([line for line in lines if line], self.img_suffix, self._img_dir, self.backend_args)
        else:
            images = self.list_images()
        folder = self.data_prefix.get('seg_map_path')
        if folder is None:
            return [(image, None) for image in images]
        labels = LabelNames(self.seg_map_suffix, folder, self.backend_args)
        same = osp.abspath(folder) == osp.abspath(self._img_dir)
        found = [labels.of(stem_of(image, self.img_suffix), image if same else None) for image in images]
        if self._local and not self.ann_file:
            parts = tuple(f'{part}/' for part in self.parts) or ''
            used = {*found, *(images if same else ())}
            lone = [name for name in labels.listed() if name not in used and name.startswith(parts)]
            self.left_out.update({LONE_LABELS: len(lone)} if lone else {})
        return list(zip(images, found, strict=True))

    def list_images(self) -> list[str]:
        """Return the sorted names of the images below their folder, and count the other files in ``left_out``."""
        images, others = list_folder(self._img_dir, self.img_suffix, self.backend_args)
        self.left_out.update(others)
        return images

    def get_data_info(self, idx: int) -> dict:
        """Return one sample, with the label table and the settings that the loading steps of the pipeline need."""
        info = super().get_data_info(idx)
        info['max_pixels'] = self.max_pixels
        if 'seg_map_path' in info:
            info['label_table'] = self.label_table
            info['label_channel'] = self.label_channel
            info['same_size'] = self.same_size
        return info

    def _check_table(self) -> None:
        num_classes = len(self.label_map or self.metainfo['classes'])
        if self.label_table.num_classes > num_classes:
            raise ValueError(
                f'{self._name}: label table {self.label_table.name!r} gives train ids up to '
                f'{self.label_table.num_classes - 1}, but there are {num_classes} classes: map the '
                'others to 255'
            )
