"""Base of data sets whose splits, folders and file names are known."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ..label_tables import LabelTable
from .folders import Suffixes
from .raw_dataset import RawSegDataset


class PublishedDataset(RawSegDataset):
    """Base of data sets whose files follow from the name of a split.

    A subclass sets the folders and suffixes of the files.

    Args:
        split: A key of ``FOLDERS``.
        use_labels: False leaves out the labels, as for a target domain. Splits that were published without labels never
            have any.
        choice: Values for the names in braces in ``FOLDERS``.
        label_table: As in :class:`RawSegDataset`; None takes ``TABLE``.
        data_prefix: Other folders than those of the split.
        img_suffix: Suffix of image names, or several; None takes ``IMG_SUFFIX``.
        seg_map_suffix: Suffix of label names, or several; None takes ``SEG_MAP_SUFFIX``.
        **kwargs: Further arguments of :class:`RawSegDataset`.

    Raises:
        ValueError: If there is no such split.
    """

    FOLDERS: ClassVar[Mapping[str, tuple[str, str | None]]]
    """Folders of images and of labels, below ``data_root``, by split; None where no labels were published."""

    TABLE: ClassVar[str] = 'train_ids'
    IMG_SUFFIX: ClassVar[Suffixes] = '.png'
    SEG_MAP_SUFFIX: ClassVar[Suffixes] = '.png'

    def __init__(
        self,
        split: str = 'train',
        use_labels: bool = True,
        choice: Mapping[str, str] | None = None,
        label_table: str | Mapping | LabelTable | None = None,
        data_prefix: Mapping | None = None,
        img_suffix: Suffixes = None,
        seg_map_suffix: Suffixes = None,
        **kwargs: Any,
    ) -> None:
        self.split = one_of('split', split, self.FOLDERS, type(self).__name__)
        if data_prefix is None:
            images, labels = (folder and folder.format(**(choice or {})) for folder in self.FOLDERS[split])
            data_prefix = dict(img_path=images, seg_map_path=labels if use_labels else None)
        super().__init__(
            label_table=self.TABLE if label_table is None else label_table,
            data_prefix=data_prefix,
            img_suffix=self.IMG_SUFFIX if img_suffix is None else img_suffix,
            seg_map_suffix=self.SEG_MAP_SUFFIX if seg_map_suffix is None else seg_map_suffix,
            **kwargs,
        )


def one_of(key: str, value: str, known: Any, name: str) -> str:
    """Return the value of an argument after checking that it is allowed.

    Args:
        key: Name of the argument, for the message.
        value: Its value.
        known: Allowed values.
        name: Class name of the data set, for the message.

    Raises:
        ValueError: If the value is not allowed.
    """
    if value not in known:
        raise ValueError(f'{name}: {key}={value!r}, expected one of {", ".join(map(repr, known))}')
    return value
