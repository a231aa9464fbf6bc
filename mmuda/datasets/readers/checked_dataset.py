"""Checks of the files of a data set, before training and when each pair is loaded."""

import logging
import os.path as osp
from collections import Counter
from typing import Any

import mmengine.fileio as fileio
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from mmuda.zip_files import is_local

from ..image_files import check_pixels, image_size
from ..transforms.loading import LoadDomainImage
from .file_check import DIFFERENT, find_problems, told_problems
from .folders import leaves


class CheckedSegDataset(BaseSegDataset):
    """mmseg's ``BaseSegDataset`` with checks of its folders, lists and files before training.

    A pair is an image and its label. Subclasses set the attributes, which :class:`RawSegDataset` explains, and list the
    files.
    """

    check_sizes: bool
    mismatched: str
    same_size: bool
    max_pixels: int | None
    outside_root: bool
    left_out: Counter[str]

    LAYOUT = 'images, and labels of the same names'
    """Files that are expected below ``data_root``, for messages."""

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

    def check_listed(self, name: str, folder: str, line: int) -> None:
        """Check a file name in the list of this data set.

        Args:
            name: The name as written in the list.
            folder: Folder to which it is relative.
            line: Number of its line, for the message.

        Raises:
            ValueError: If the file is outside of the folder of the data and ``outside_root`` is False, or if the name
                contains a NUL byte.
        """
        where = f'{self.ann_file}, line {line}'
        if '\0' in name:
            raise ValueError(f'{where}: {name!r} has a NUL byte, so ann_file is not a list of files')
        if not self.outside_root and leaves(osp.join(folder, name), (self.data_root, folder)):
            raise ValueError(
                f'{where}: {name!r} is outside of {osp.abspath(self.data_root or folder)}: set outside_root=True in '
                'the data set if you trust the list, or correct data_root'
            )

    def filter_data(self) -> list[dict]:
        """Check the pairs, and leave out those that cannot be used if ``mismatched='skip'``.

        Raises:
            ValueError: If no pair is left, or a pair cannot be used and ``mismatched`` is ``'error'``.
        """
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
            # Without labels there is nothing to compare, and files that were found in a folder exist.
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

    def prepare_data(self, idx: int) -> Any:
        """Return the sample ``idx`` as the pipeline returns it.

        Raises:
            ValueError: If the image has too many pixels, or image and label still differ in size after the pipeline
                although ``same_size`` is False.
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
                    f'{self.get_data_info(idx)["img_path"]} has the size {image} (H, W) after the pipeline, its label '
                    f'{label}: with same_size=False the pipeline needs a Resize with keep_ratio=False'
                )
        return sample

    @property
    def oriented(self) -> bool:
        """Whether the pipeline applies the EXIF orientation of images."""
        return not any(
            str(getattr(step, 'color_type', '')).endswith('ignore_orientation') for step in self.pipeline.transforms[:1]
        )

    @property
    def _bounded(self) -> bool:
        """Whether the first step of the pipeline checks ``max_pixels``; mmcv's loaders have no limit."""
        steps = self.pipeline.transforms
        return bool(steps) and isinstance(steps[0], LoadDomainImage)

    def _check_pixels(self, path: str) -> None:
        try:
            size = image_size(path)
        except (OSError, SyntaxError, ValueError):
            return  # a missing file, or a format with a loader of its own: the loader raises the error
        check_pixels(path, size, self.max_pixels)

    @property
    def _name(self) -> str:
        return type(self).__name__

    @property
    def _img_dir(self) -> str:
        return self.data_prefix.get('img_path', '')

    @property
    def _local(self) -> bool:
        """Whether the files are on a local disk or in a zip archive there, so that they are checked before training."""
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
