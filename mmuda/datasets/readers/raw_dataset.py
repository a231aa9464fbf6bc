"""Data sets that are read as they were published."""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

import mmengine.fileio as fileio
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from mmuda.settings import shortened

from ..classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE
from ..image_files import MAX_PIXELS, check_pixels, image_size
from ..label_tables import LabelTable, get_label_table
from ..transforms.loading import LoadDomainImage
from .file_check import DIFFERENT, Problem, find_problems

_LISTED = 20


@DATASETS.register_module()
class RawSegDataset(BaseSegDataset):
    """mmseg's ``BaseSegDataset`` for label files with the ids they were published with.

    Images lie below ``data_prefix['img_path']``, labels under the same names, apart from the
    suffix, below ``data_prefix['seg_map_path']``. Without the latter the data set is unlabelled.
    Use it with ``LoadDomainAnnotations``, which gets ``label_table`` and ``label_channel`` with
    each sample. Fewer classes follow from ``metainfo=dict(classes=SYNTHIA16)``, say, alike on
    source and target.

    Before anything is trained, the sizes of all images and labels are compared (headers only,
    result cached).

    Args:
        label_table: Name of a label table, or a dict ``{raw id: train id}``.
        label_channel: Channel in RGB order that holds the ids, for multi-channel label files.
        check_sizes: Compare sizes, and look for missing files, when the data set is built.
        mismatched: What to do about pairs that differ in size, or of which a file is missing or
            unreadable: ``'error'`` lists them in one error, ``'skip'`` leaves them out and logs how
            many.
        same_size: Whether image and label must have the same size as files. False, for translated copies of images:
            they may differ, if the pipeline gives both one size (``Resize`` with ``keep_ratio=False``); each sample is
            checked.
        max_pixels: Images and labels with more pixels, by their headers, are refused before they are decoded. None
            allows any size.
        data_prefix: Folders of images and labels, relative to ``data_root``.
        img_suffix: End of image names.
        seg_map_suffix: End of label names.
        **kwargs: Of :class:`mmseg.datasets.BaseSegDataset`.

    Raises:
        FileNotFoundError: If a folder or the list in ``ann_file`` does not exist, or there is no
            image.
        ValueError: If pairs do not match, or the label table does not fit the classes.
    """

    METAINFO = dict(classes=CITYSCAPES_CLASSES, palette=CITYSCAPES_PALETTE)

    img_suffix: str | None
    LAYOUT = 'images, and labels of the same names'
    """Files that are expected below ``data_root``, for messages."""

    def __init__(
        self,
        label_table: str | Mapping | LabelTable = 'cityscapes',
        label_channel: int | None = None,
        check_sizes: bool = True,
        mismatched: str = 'error',
        same_size: bool = True,
        max_pixels: int | None = MAX_PIXELS,
        data_prefix: Mapping = dict(img_path='images', seg_map_path='labels'),
        img_suffix: str | None = '.png',
        seg_map_suffix: str = '.png',
        **kwargs: Any,
    ) -> None:
        if mismatched not in ('error', 'skip'):
            raise ValueError(f"mismatched must be 'error' or 'skip', but got {mismatched!r}")
        if not same_size and kwargs.get('test_mode'):
            raise ValueError(
                'same_size=False is for training: a prediction is compared with a label of the size of its image'
            )
        self.label_table = get_label_table(label_table)
        self.label_channel = label_channel
        self.check_sizes = check_sizes
        self.mismatched = mismatched
        self.same_size = same_size
        self.max_pixels = max_pixels
        self.left_out: Counter[str] = Counter()
        super().__init__(
            data_prefix={key: path for key, path in data_prefix.items() if path is not None},
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Names of all images and labels, sorted by image name."""
        self._check_table()
        self.check_folders()
        data_list = super().load_data_list()
        if not data_list:
            raise FileNotFoundError(
                f'{self._name} found no image named *{self.img_suffix} in '
                f'{self.ann_file or self._img_dir}. {self._expected}'
            )
        return data_list

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
            for index, problem in find_problems(pairs, self._name).items()
            if self.same_size or problem.kind != DIFFERENT
        }
        if not problems:
            return data_list
        kept = [info for index, info in enumerate(data_list) if index not in problems]
        report = self._report(list(problems.values()), len(pairs))
        if not kept:
            hint = ''
            if any(problem.kind == DIFFERENT for problem in problems.values()):
                hint = ', or set same_size=False if the pipeline resizes both to one size'
            raise ValueError(f'{report}\nNo pair is left: check data_root and data_prefix{hint}.')
        if self.mismatched == 'error':
            raise ValueError(
                f"{report}\nRepair the files, or train without these pairs: mismatched='skip' in the data set."
            )
        self.left_out = Counter(problem.kind for problem in problems.values())
        print_log(f'skipped pairs of {report}', logger='current', level=logging.WARNING)
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
        backend = (self.backend_args or {}).get('backend', 'local')
        return backend == 'local' and '://' not in self._img_dir

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

    def _report(self, problems: list[Problem], total: int) -> str:
        counts = Counter(problem.kind for problem in problems)
        told = ', '.join(f'{kind}: {count}' for kind, count in counts.items())
        details = shortened([problem.detail for problem in problems], _LISTED)
        return f'{self._name}: {len(problems)} of {total} image-label pairs cannot be used ({told}):' + ''.join(
            f'\n  {detail}' for detail in details
        )
