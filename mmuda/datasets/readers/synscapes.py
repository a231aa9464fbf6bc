"""Reader of Synscapes."""

from collections.abc import Mapping
from typing import Any

from mmseg.registry import DATASETS

from ..label_tables import LabelTable
from .raw_dataset import RawSegDataset


@DATASETS.register_module()
class SynscapesDataset(RawSegDataset):
    """Synscapes (Wrenninge and Unger, 2018; 25 000 frames), as downloaded.

    Images are ``img/rgb/1.png``, labels are ``img/class/1.png`` with Cityscapes ids.

    Args:
        label_table: As in :class:`RawSegDataset`.
        data_prefix: As in :class:`RawSegDataset`.
        **kwargs: Further arguments of :class:`RawSegDataset`.
    """

    LAYOUT = 'img/rgb/1.png ... and img/class/1.png ...'

    def __init__(
        self,
        label_table: str | Mapping | LabelTable = 'synscapes',
        data_prefix: Mapping = dict(img_path='img/rgb', seg_map_path='img/class'),
        **kwargs: Any,
    ) -> None:
        super().__init__(label_table=label_table, data_prefix=data_prefix, **kwargs)
