"""Reader of GTA5."""

from collections.abc import Mapping
from typing import Any

from mmseg.registry import DATASETS

from ..label_tables import LabelTable
from .raw_dataset import RawSegDataset


@DATASETS.register_module()
class GTA5Dataset(RawSegDataset):
    """The 24 966 frames of "Playing for Data" (Richter et al., ECCV 2016), as downloaded.

    Images are ``images/00001.png``, labels are ``labels/00001.png``: palette PNG files whose indices are Cityscapes
    ids. A few published pairs differ in size; see ``mismatched`` of :class:`RawSegDataset`.

    Args:
        label_table: As in :class:`RawSegDataset`.
        data_prefix: As in :class:`RawSegDataset`.
        **kwargs: Further arguments of :class:`RawSegDataset`.
    """

    LAYOUT = 'images/00001.png ... and labels/00001.png ...'

    def __init__(
        self,
        label_table: str | Mapping | LabelTable = 'gta5',
        data_prefix: Mapping = dict(img_path='images', seg_map_path='labels'),
        **kwargs: Any,
    ) -> None:
        super().__init__(label_table=label_table, data_prefix=data_prefix, **kwargs)
