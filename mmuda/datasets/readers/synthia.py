"""Reader of SYNTHIA."""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from mmseg.registry import DATASETS

from ..label_tables import LabelTable
from .raw_dataset import RawSegDataset

_SEQUENCE_MARKS = ('SYNTHIA-SEQS', 'SYNTHIA_SEQS', '/Stereo_Left/', '/Stereo_Right/')


@DATASETS.register_module()
class SYNTHIADataset(RawSegDataset):
    """SYNTHIA-RAND-CITYSCAPES (Ros et al., CVPR 2016; 9 400 frames), as downloaded.

    Images are ``RGB/0000000.png``, labels are ``GT/LABELS/0000000.png``: 16-bit multi-channel PNG files with the class
    id in the first (red) channel. Papers train with 16 classes: set ``metainfo=dict(classes=SYNTHIA16)`` on source and
    target.

    The video sequences (``SYNTHIA-SEQS-...``, in ``RGB/Stereo_Left/Omni_F``) need ``label_table='synthia_seqs'``: id 12
    is lane marking there, and motorcycle here. A warning is logged if a folder looks like a video sequence.

    Args:
        label_table: As in :class:`RawSegDataset`.
        label_channel: As in :class:`RawSegDataset`. Files that were reduced to one channel are read as well.
        data_prefix: As in :class:`RawSegDataset`.
        **kwargs: Further arguments of :class:`RawSegDataset`.
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

    def load_data_list(self) -> list[dict]:
        """Return the samples of :class:`RawSegDataset`, after a check for labels of the video sequences."""
        data_list = super().load_data_list()
        label = data_list[0].get('seg_map_path', '')
        if self.label_table.name == 'synthia' and any(mark in label for mark in _SEQUENCE_MARKS):
            print_log(
                f'{label} looks like a label of the video sequences of SYNTHIA (SYNTHIA-SEQS), in which id 12 is lane '
                "marking: the label table 'synthia' of RAND_CITYSCAPES reads it as motorcycle. Set "
                "label_table='synthia_seqs' in this data set",
                logger='current',
                level=logging.WARNING,
            )
        return data_list
