"""SYNTHIA."""

from collections.abc import Mapping
from typing import Any

from mmseg.registry import DATASETS

from ..label_tables import LabelTable
from .raw_dataset import RawSegDataset


@DATASETS.register_module()
class SYNTHIADataset(RawSegDataset):
    """SYNTHIA-RAND-CITYSCAPES (Ros et al., CVPR 2016; 9 400 frames), as downloaded.

    ``RGB/0000000.png`` and ``GT/LABELS/0000000.png``; labels are 16-bit multi-channel PNG files
    with the class id in the first (red) channel. Papers train with 16 classes:
    ``metainfo=dict(classes=SYNTHIA16)`` on source and target.

    Args:
        label_table: As in :class:`RawSegDataset`.
        label_channel: As in :class:`RawSegDataset`; files that were reduced to one channel are read
            as well.
        data_prefix: As in :class:`RawSegDataset`.
        **kwargs: Of :class:`RawSegDataset`.
    """

    LAYOUT = 'RGB/0000000.png ... and GT/LABELS/0000000.png ... (the folder RAND_CITYSCAPES)'

    def __init__(
        self,
        label_table: str | Mapping | LabelTable = 'synthia',
        label_channel: int | None = 0,
        data_prefix: Mapping = dict(img_path='RGB', seg_map_path='GT/LABELS'),
        **kwargs: Any,
    ) -> None:
        super().__init__(label_table=label_table, label_channel=label_channel, data_prefix=data_prefix, **kwargs)
