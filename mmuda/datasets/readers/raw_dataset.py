"""Data sets that are read as they were published, and anybody's own folders."""

import logging
import os.path as osp
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import mmengine.fileio as fileio
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from mmuda.zip_files import is_local

from ..cached_pipeline import keep_samples
from ..class_maps import classes_of
from ..classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE
from ..image_files import MAX_PIXELS, check_pixels, image_size
from ..label_tables import LabelTable, get_label_table, identity_table, shifted_table
from ..transforms.loading import LoadDomainImage
from .file_check import DIFFERENT, find_problems, told_problems
from .folders import (
    LabelNames,
    Suffixes,
    image_names,
    leaves,
    list_folder,
    read_list,
    stem_of,
    told_counts,
    told_suffixes,
    with_slices,
)

LONE_LABELS = 'label(s) without an image'
"""Key of :attr:`RawSegDataset.left_out`."""


@DATASETS.register_module()
class RawSegDataset(BaseSegDataset):
    """mmseg's ``BaseSegDataset`` for label files with the ids they were published with, and for own folders.

    Images lie below ``data_prefix['img_path']``, labels under the same names, apart from the
    suffix, below ``data_prefix['seg_map_path']``. Without the latter the data set is unlabelled.
    Use it with ``LoadDomainAnnotations``, which gets ``label_table`` and ``label_channel`` with
    each sample. Fewer classes follow from ``metainfo=dict(classes=SYNTHIA16)``, say, alike on
    source and target, or from ``class_map``, which also merges them.

    Own data::

        dict(type='RawSegDataset', data_root='data/mine', label_classes=('background', 'crack'),
             label_table={0: 0, 255: 1})

    Before anything is trained, the sizes of all images and labels are compared (headers only,
    result cached).

    Args:
        label_table: Name of a label table, or a dict ``{raw id: train id}`` or ``{(red, green, blue): train id}``.
            None: Cityscapes ids; with ``label_classes``, the files hold train ids, and 255. With
            ``reduce_zero_label=True``, 0 is ignored and the first class is 1.
        label_channel: Channel in RGB order that holds the ids, for multi-channel label files.
        label_classes: Names of the classes, by train id, if they are not the 19 of Cityscapes. Give
            a palette, if wanted, as ``metainfo=dict(palette=...)``.
        class_map: Merge classes, or leave them out: ``{new name: old name, or list of old names}``.
        check_sizes: Compare sizes, and look for missing files, when the data set is built.
        mismatched: What to do about pairs that differ in size, or of which a file is missing or
            unreadable: ``'error'`` lists them in one error, ``'skip'`` leaves them out and logs how
            many.
        same_size: Whether image and label must have the same size as files. False, for translated copies of images:
            they may differ, if the pipeline gives both one size (``Resize`` with ``keep_ratio=False``); each sample is
            checked.
        max_pixels: Images and labels with more pixels, by their headers, are refused before they are decoded. None
            allows any size.
        outside_root: True lets the names in ``ann_file`` leave ``data_root``, by ``..`` or as absolute paths. A list of
            somebody else could name any file of this machine.
        data_prefix: Folders of images and labels, relative to ``data_root``.
        img_suffix: End of image names, or several, in any case. None takes all images, see
            :data:`~mmuda.datasets.image_files.IMAGE_SUFFIXES`. Other files are left out, and counted in the log.
        seg_map_suffix: End of label names, or several. None takes the label of the same name with any suffix.
        metainfo: As in mmseg. Classes that are not among the 19 are own ones if ``label_table`` is a dict.
        cache_bytes: Keep decoded and resized samples in the cache folder, as :class:`DomainPairDataset` does for data
            sets of any kind.
        **kwargs: Of :class:`mmseg.datasets.BaseSegDataset`.

    Raises:
        FileNotFoundError: If a folder or the list in ``ann_file`` does not exist, or there is no
            image.
        ValueError: If pairs do not match, an image has several labels, the label table does not fit the classes, or the
            list names a file outside of ``data_root``.
    """

    METAINFO = dict(classes=CITYSCAPES_CLASSES, palette=CITYSCAPES_PALETTE)

    img_suffix: Suffixes
    parts: Sequence[str] = ()
    """Folders below those of images and of labels that are read; none for all."""

    LAYOUT = 'images, and labels of the same names'
    """Files that are expected below ``data_root``, for messages."""

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
                'same_size=False is for training: a prediction is compared with a label of the size of its image'
            )
        if (metainfo or {}).get('classes') is not None and (label_classes is not None or class_map is not None):
            raise ValueError(
                'give label_classes or class_map, or classes in metainfo (a part of the 19 of Cityscapes), not both'
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
        """Return the classes of metainfo if they are none of this data set, but those of a label table of its own."""
        given, known = (metainfo or {}).get('classes'), self.METAINFO['classes']
        unknown = [name for name in given or () if name not in known]
        if unknown and not isinstance(label_table, Mapping):
            raise ValueError(
                f'{self._name}: metainfo has the classes {unknown}, which are not among {list(known)}. If these '
                'are names of your own, give all of them, by train id, as label_classes=(...)'
            )
        return given if unknown else None

    def _default_table(self, label_classes: Sequence[str] | None, zero_ignored: bool) -> str | LabelTable:
        """Return the table of files whose ids nobody explained."""
        names = self.METAINFO['classes'] if label_classes is None else label_classes
        if zero_ignored:
            return shifted_table('train_ids from 1', len(names))
        return 'cityscapes' if label_classes is None else identity_table('train_ids', len(names))

    @property
    def label_map(self) -> dict[int, int] | None:
        """New train id by the one that the label table gives; None if they are the same."""
        return self._label_map

    @label_map.setter
    def label_map(self, found: dict[int, int] | None) -> None:
        # mmseg asks a class method, which does not know the classes of one data set.
        self._label_map = found if self._own_map is None else self._own_map[0]

    @classmethod
    def get_label_map(cls, new_classes: Sequence | None = None) -> dict[int, int] | None:
        """As in mmseg; none for classes of other names, which have a map of their own."""
        if new_classes is not None and not set(new_classes) <= set(cls.METAINFO['classes']):
            return None
        return super().get_label_map(new_classes)

    def load_data_list(self) -> list[dict]:
        """Names of all images and labels, sorted by image name, or in the order of the list."""
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

    def check_listed(self, name: str, folder: str, line: int) -> None:
        """Check a name in the list of this data set.

        Args:
            name: As the list has it.
            folder: Folder that it is relative to.
            line: Its line, for the message.

        Raises:
            ValueError: If it leaves the folder of the data, and the config does not allow it; or if it is no name.
        """
        where = f'{self.ann_file}, line {line}'
        if '\0' in name:
            raise ValueError(f'{where}: {name!r} has a NUL byte, so this is no list of files')
        if not self.outside_root and leaves(osp.join(folder, name), (self.data_root, folder)):
            raise ValueError(
                f'{where}: {name!r} is outside of {osp.abspath(self.data_root or folder)}: set outside_root=True in '
                'the data set if you trust the list, or correct data_root'
            )

    def list_images(self) -> list[str]:
        """Return the sorted names of the images below their folder, and count the other files in ``left_out``."""
        images, others = list_folder(self._img_dir, self.img_suffix, self.backend_args)
        self.left_out.update(others)
        return images

    def filter_data(self) -> list[dict]:
        """Check the pairs, and leave out those that do not match if ``mismatched='skip'``."""
        data_list = super().filter_data()
        if not self.check_sizes:
            return data_list
        if not self._local:
            print_log(
                f'{self._name}: the files are not on a local disk, so the sizes of images '
                'and labels are compared when each pair is loaded',
                logger='current',
            )
            return data_list
        pairs = [(info['img_path'], info.get('seg_map_path')) for info in data_list]
        if not self.ann_file:
            # Without labels there is nothing to compare, and what a folder lists is there.
            pairs = pairs if any(label for _, label in pairs) else []
        problems = {
            index: problem
            for index, problem in find_problems(pairs, self._name, self.oriented).items()
            if self.same_size or problem.kind != DIFFERENT
        }
        if not problems:
            return data_list
        kept = [info for index, info in enumerate(data_list) if index not in problems]
        report = told_problems(list(problems.values()), len(pairs), self._name)
        if not kept:
            hint = ''
            if any(problem.kind == DIFFERENT for problem in problems.values()):
                hint = ', or set same_size=False if the pipeline resizes both to one size'
            raise ValueError(f'{report}\nNo pair is left: check data_root and data_prefix{hint}.')
        if self.mismatched == 'error':
            raise ValueError(
                f"{report}\nRepair the files, or train without these pairs: mismatched='skip' in the data set."
            )
        print_log(f'skipped pairs of {report}', logger='current', level=logging.WARNING)
        self.left_out.update(Counter(problem.kind for problem in problems.values()))
        return kept

    def get_data_info(self, idx: int) -> dict:
        """One sample, with what its label ids mean."""
        info = super().get_data_info(idx)
        info['max_pixels'] = self.max_pixels
        if 'seg_map_path' in info:
            info['label_table'] = self.label_table
            info['label_channel'] = self.label_channel
            info['same_size'] = self.same_size
        return info

    def prepare_data(self, idx: int) -> Any:
        """One sample through the pipeline.

        Raises:
            ValueError: If the image has too many pixels; or if files may differ in size and the pipeline did not make
                them equal.
        """
        if self._local and self.max_pixels is not None and not self._bounded:
            self._check_pixels(self.get_data_info(idx)['img_path'])
        sample = super().prepare_data(idx)
        if not self.same_size and isinstance(sample, dict) and 'gt_sem_seg' in sample.get('data_samples', ()):
            image, label = (
                tuple(part.shape[-2:]) for part in (sample['inputs'], sample['data_samples'].gt_sem_seg.data)
            )
            if image != label:
                raise ValueError(
                    f'{self.get_data_info(idx)["img_path"]} leaves the pipeline with {image} (H, W), its label with '
                    f'{label}: with same_size=False the pipeline needs a Resize with keep_ratio=False'
                )
        return sample

    @property
    def oriented(self) -> bool:
        """Whether the pipeline turns images by their EXIF orientation."""
        return not any(
            str(getattr(step, 'color_type', '')).endswith('ignore_orientation') for step in self.pipeline.transforms[:1]
        )

    @property
    def _bounded(self) -> bool:
        """Whether the first step of the pipeline looks at ``max_pixels``; mmcv's loaders have no bound."""
        steps = self.pipeline.transforms
        return bool(steps) and isinstance(steps[0], LoadDomainImage)

    def _check_pixels(self, path: str) -> None:
        try:
            size = image_size(path)
        except (OSError, SyntaxError, ValueError):
            return  # missing, or a format of a loader of its own, which says what is wrong
        check_pixels(path, size, self.max_pixels)

    @property
    def _name(self) -> str:
        return type(self).__name__

    @property
    def _img_dir(self) -> str:
        return self.data_prefix.get('img_path', '')

    @property
    def _local(self) -> bool:
        """Whether headers can be looked at before the training: on a local disk, or in a zip archive there."""
        return is_local(self._img_dir, self.backend_args)

    @property
    def _expected(self) -> str:
        if not self.data_root:
            return (
                f'Expected in the folders that data_prefix of this data set names: {self.LAYOUT}. '
                'Point data_prefix to your copy'
            )
        root = self.data_root
        return (
            f'Expected below data_root={root!r}: {self.LAYOUT}. Point data_root of this data '
            f'set to your copy, or link it: ln -s /path/to/your/copy {root}'
        )

    def _check_table(self) -> None:
        num_classes = len(self.label_map or self.metainfo['classes'])
        if self.label_table.num_classes > num_classes:
            raise ValueError(
                f'{self._name}: label table {self.label_table.name!r} gives train ids up to '
                f'{self.label_table.num_classes - 1}, but there are {num_classes} classes: map the '
                'others to 255'
            )

    def check_folders(self) -> None:
        """Check that the list, or the folders of images and labels, exist.

        Raises:
            FileNotFoundError: If one does not.
        """
        if self.ann_file and not fileio.exists(self.ann_file, self.backend_args):
            raise FileNotFoundError(
                f'{self._name}: the list {self.ann_file} does not exist. Give ann_file as an '
                f'absolute path or relative to data_root={self.data_root!r}'
            )
        if self.ann_file:
            return
        for key, meaning in (('img_path', 'images'), ('seg_map_path', 'labels')):
            folder = self.data_prefix.get(key)
            if folder is None or fileio.isdir(folder, self.backend_args):
                continue
            hint = ''
            if key == 'seg_map_path':
                hint = ' (to read images only, set data_prefix without seg_map_path)'
            raise FileNotFoundError(
                f'{self._name}: the folder of {meaning}, {folder}, does not exist{hint}. {self._expected}'
            )
