"""Anybody's own data: a text list of images and labels."""

import os.path as osp
from collections.abc import Mapping, Sequence
from typing import Any

import mmengine
from mmengine.logging import print_log
from mmseg.registry import DATASETS

from ..label_tables import LabelTable, identity_table
from .raw_dataset import RawSegDataset


@DATASETS.register_module()
class SegmentationListDataset(RawSegDataset):
    """Images and labels as a text file lists them.

    Each line is ``image label``, or ``image`` alone if it is unlabelled, relative to ``data_root``.
    Empty lines and those that start with ``#`` are passed over. Names with blanks are separated by
    a tab. Where a line is always the name of one image, ``images_only`` takes it whole.

    Args:
        ann_file: The list; an absolute path, or relative to ``data_root``.
        label_table: As in :class:`RawSegDataset`. None: the files hold train ids, and 255.
        use_labels: False leaves out all labels, as for a target domain.
        require_labels: True makes a line without a label an error.
        images_only: A line is the name of an image, blanks and all; there are no labels.
        label_classes: Names of the classes, by train id, if they are not the 19 of Cityscapes. Give
            a palette, if wanted, as ``metainfo=dict(palette=...)``.
        metainfo: As in mmseg; its classes may be a part of the 19.
        data_prefix: Folders below ``data_root`` that the names are relative to.
        outside_root: True lets names leave ``data_root``, by ``..`` or as absolute paths. A list of somebody else could
            name any file of this machine.
        **kwargs: Of :class:`RawSegDataset`.

    Raises:
        FileNotFoundError: If the list does not exist.
        ValueError: With file and line, if a line is malformed, lists an image twice, lacks a required label or names a
            file outside of ``data_root``; or if the list is empty or no text.
    """

    LAYOUT = 'the files that the list names'

    def __init__(
        self,
        ann_file: str,
        label_table: str | Mapping | LabelTable | None = None,
        use_labels: bool = True,
        require_labels: bool = False,
        images_only: bool = False,
        label_classes: Sequence[str] | None = None,
        metainfo: dict | None = None,
        data_prefix: Mapping = dict(img_path='', seg_map_path=''),
        outside_root: bool = False,
        **kwargs: Any,
    ) -> None:
        if not ann_file:
            raise ValueError('SegmentationListDataset needs ann_file, a text file with a line "image label" per pair')
        if require_labels and not use_labels:
            raise ValueError('require_labels=True and use_labels=False contradict each other')
        if require_labels and images_only:
            raise ValueError('require_labels=True and images_only=True contradict each other')
        self.outside_root = outside_root
        self.use_labels = use_labels
        self.images_only = images_only
        self.require_labels = require_labels
        self._own_classes = label_classes is not None
        if label_classes is not None:
            metainfo = dict(metainfo or {})
            if 'classes' in metainfo:
                raise ValueError(
                    'give label_classes, or classes in metainfo (a part of the 19 of Cityscapes), not both'
                )
            metainfo['classes'] = tuple(label_classes)
            # An empty palette makes mmseg draw one.
            metainfo.setdefault('palette', [])
        if label_table is None:
            names = label_classes if label_classes is not None else self.METAINFO['classes']
            label_table = identity_table('train_ids', len(names))
        super().__init__(
            ann_file=ann_file, label_table=label_table, metainfo=metainfo, data_prefix=data_prefix, **kwargs
        )

    def get_label_map(self, new_classes: Sequence | None = None) -> dict[int, int] | None:
        """As in mmseg; there is none for classes that are not those of Cityscapes."""
        return None if self._own_classes else super().get_label_map(new_classes)

    def load_data_list(self) -> list[dict]:
        """The samples in the order of the list."""
        self._check_table()
        self.check_folders()
        try:
            lines = mmengine.list_from_file(self.ann_file, backend_args=self.backend_args)
        except UnicodeDecodeError as error:
            raise ValueError(f'{self.ann_file} is no list of files: it is not text in UTF-8 ({error})') from None
        data_list: list[dict] = []
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if not text or text.startswith('#'):
                continue
            image, label = self._parse(text, number)
            self._check_inside(image, self._img_dir, number)
            if label is not None:
                self._check_inside(label, self.data_prefix.get('seg_map_path', ''), number)
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

    def _check_inside(self, name: str, folder: str, number: int) -> None:
        """Refuse a name that leaves the folder of the data; links inside of it may lead anywhere."""
        if '\0' in name:
            raise ValueError(f'{self.ann_file}, line {number}: {name!r} has a NUL byte, so this is no list of files')
        path = osp.abspath(osp.join(folder, name))
        roots = {osp.abspath(root) for root in (self.data_root, folder) if root}
        if roots and not self.outside_root and all(osp.commonpath([root, path]) != root for root in roots):
            raise ValueError(
                f'{self.ann_file}, line {number}: {name!r} is outside of {osp.abspath(self.data_root or folder)}: set '
                'outside_root=True in the data set if you trust the list, or correct data_root'
            )

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
