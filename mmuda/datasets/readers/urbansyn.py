"""Reader of UrbanSyn."""

import os.path as osp

from mmseg.registry import DATASETS

from .published import PublishedDataset


@DATASETS.register_module()
class UrbanSynDataset(PublishedDataset):
    """UrbanSyn (Gomez et al., 2023; 7 539 frames of 2048x1024), as downloaded.

    Images are ``rgb/rgb_0001.png``, labels are ``ss/ss_0001.png`` with train ids, and 19 where there is no class.

    Args:
        **kwargs: Further arguments of :class:`PublishedDataset`; the only split is ``'train'``.
    """

    LAYOUT = 'rgb/rgb_0001.png ... and ss/ss_0001.png ...'
    FOLDERS = dict(train=('rgb', 'ss'))
    TABLE = 'urbansyn'

    def load_data_list(self) -> list[dict]:
        """Return the samples of :class:`RawSegDataset`, with the prefix of label names, ``ss_``."""
        data_list = super().load_data_list()
        for info in data_list:
            if 'seg_map_path' in info:
                folder, name = osp.split(info['seg_map_path'])
                info['seg_map_path'] = osp.join(folder, 'ss_' + name.removeprefix('rgb_'))
        return data_list
