"""Reader of own data: a text list of images and labels."""

import os.path as osp
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log
from mmseg.registry import DATASETS

from ..label_tables import LabelTable, identity_table
from .folders import read_list
from .raw_dataset import RawSegDataset


@DATASETS.register_module()
class SegmentationListDataset(RawSegDataset):
    """A data set whose images and labels are listed in a text file.

    Each line is ``image label``, or ``image`` alone if it is unlabelled, relative to ``data_root``. Empty lines and
    lines that start with ``#`` are skipped. Names that contain blanks are separated by a tab. If every line is the name
    of one image, ``images_only`` takes the whole line, with blanks.

    Args:
        ann_file: The list; an absolute path, or relative to ``data_root``.
        use_labels: False leaves out all labels, as for a target domain.
        require_labels: True makes a line without a label an error.
        images_only: Each line is the name of an image, which can contain blanks; there are no labels.
        data_prefix: Folders below ``data_root`` to which the names are relative.
        **kwargs: Further arguments of :class:`RawSegDataset`. Without ``label_table``, label files hold train ids, and
            255 for ignored pixels.

    Raises:
        FileNotFoundError: If the list does not exist.
        ValueError: With file and line, if a line is malformed, lists an image twice, lacks a required label or names a
            file outside of ``data_root``; or if the list is empty or no text.
    """

    LAYOUT = 'the files that the list names'

    def __init__(
        self,
        ann_file: str,
        use_labels: bool = True,
        require_labels: bool = False,
        images_only: bool = False,
        data_prefix: Mapping = dict(img_path='', seg_map_path=''),
        **kwargs: Any,
    ) -> None:
        if not ann_file:
            raise ValueError('SegmentationListDataset needs ann_file, a text file with a line "image label" per pair')
        if require_labels and not use_labels:
            raise ValueError('require_labels=True and use_labels=False contradict each other')
        if require_labels and images_only:
            raise ValueError('require_labels=True and images_only=True contradict each other')
        self.use_labels = use_labels
        self.images_only = images_only
        self.require_labels = require_labels
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)

    def _default_table(self, label_classes: Sequence[str] | None, zero_ignored: bool) -> str | LabelTable:
        """Return the table of train ids, which the label files of own lists usually hold."""
        if label_classes is None and not zero_ignored:
            return identity_table('train_ids', len(self.METAINFO['classes']))
        return super()._default_table(label_classes, zero_ignored)

    def load_data_list(self) -> list[dict]:
        """Return the samples in the order of the list."""
        self._check_table()
        self.check_folders()
        lines = read_list(self.ann_file, self.backend_args)
        data_list: list[dict] = []
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if not text or text.startswith('#'):
                continue
            image, label = self._parse(text, number)
            image = _with_slashes(image, self._img_dir)
            self.check_listed(image, self._img_dir, number)
            if label is not None:
                label = _with_slashes(label, self.data_prefix.get('seg_map_path', ''))
                self.check_listed(label, self.data_prefix.get('seg_map_path', ''), number)
            info = dict(
                img_path=osp.join(self._img_dir, image),
                label_map=self.label_map,
                reduce_zero_label=self.reduce_zero_label,
                seg_fields=[],
            )
            if label is not None:
                info['seg_map_path'] = osp.join(self.data_prefix.get('seg_map_path', ''), label)
            data_list.append(info)
        if not data_list:
            raise ValueError(f'{self.ann_file} lists nothing: write a line "image label" per pair')
        labelled = sum('seg_map_path' in info for info in data_list)
        if 0 < labelled < len(data_list):
            print_log(f'{self.ann_file}: {labelled} of {len(data_list)} images have a label', logger='current')
        return data_list

    def _parse(self, text: str, number: int) -> tuple[str, str | None]:
        if self.images_only:
            return text, None
        parts = [part.strip() for part in text.split('\t')] if '\t' in text else text.split()
        if len(parts) > 2 or not all(parts):
            raise ValueError(
                f'{self.ann_file}, line {number}: expected "image label" or "image", but got '
                f'{text!r}; separate names that have blanks in them by a tab'
            )
        if len(parts) == 1 and self.require_labels:
            raise ValueError(
                f'{self.ann_file}, line {number}: {parts[0]} has no label; add it '
                'after the image, or set require_labels=False'
            )
        return parts[0], parts[1] if len(parts) == 2 and self.use_labels else None


def _with_slashes(name: str, folder: str) -> str:
    """Replace the backslashes of a name from Windows by slashes, unless a file of exactly this name exists."""
    if '\\' not in name or osp.exists(osp.join(folder, name)):
        return name
    return name.replace('\\', '/')
