"""Reader of ACDC."""

import os.path as osp
from collections.abc import Mapping, Sequence
from typing import Any

import mmengine.fileio as fileio
from mmseg.registry import DATASETS

from .folders import Suffixes, list_folder, told_suffixes
from .published import PublishedDataset, one_of

CONDITIONS = ('fog', 'night', 'rain', 'snow')


@DATASETS.register_module()
class ACDCDataset(PublishedDataset):
    """The Adverse Conditions Dataset with Correspondences (Sakaridis et al., ICCV 2021), as downloaded.

    Images are ``rgb_anon/CONDITION/SPLIT/SEQUENCE/NAME_rgb_anon.png`` of 1920x1080 pixels, labels are
    ``gt/CONDITION/SPLIT/SEQUENCE/NAME_gt_labelTrainIds.png``. Each condition has 400 images for training, 100 for
    validation (night: 106) and 500 for the test server. Each image has a reference image of the same place in clear
    weather, ``rgb_anon/CONDITION/SPLIT_ref/SEQUENCE/NAME_rgb_ref_anon.png``. Papers report the test split.

    To read the labels ``*_gt_labelIds.png``, set ``seg_map_suffix`` and ``label_table='cityscapes'``.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'`` (no labels).
        conditions: One or several of ``'fog'``, ``'night'``, ``'rain'`` and ``'snow'``.
        reference: Read the reference images instead, without labels. The order is the same: image n is the reference of
            image n.
        use_labels: As in :class:`PublishedDataset`.
        img_suffix: As in :class:`PublishedDataset`.
        ann_file: List of image names without suffix. All of them are read, whatever their condition.
        data_prefix: Other folders. All of their images are read, whatever their condition.
        **kwargs: Further arguments of :class:`PublishedDataset`.

    Raises:
        ValueError: If there is no such split or condition.
        FileNotFoundError: If a condition has no image.
    """

    LAYOUT = 'rgb_anon/fog/train/SEQUENCE/NAME_rgb_anon.png and gt/fog/train/SEQUENCE/NAME_gt_labelTrainIds.png'
    FOLDERS = dict(train=('rgb_anon', 'gt'), val=('rgb_anon', 'gt'), test=('rgb_anon', None))
    IMG_SUFFIX = '_rgb_anon.png'
    SEG_MAP_SUFFIX = '_gt_labelTrainIds.png'

    def __init__(
        self,
        split: str = 'train',
        conditions: Sequence[str] = CONDITIONS,
        reference: bool = False,
        use_labels: bool = True,
        img_suffix: Suffixes = None,
        ann_file: str = '',
        data_prefix: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        conditions = (conditions,) if isinstance(conditions, str) else tuple(conditions)
        for condition in conditions:
            one_of('conditions', condition, CONDITIONS, type(self).__name__)
        folder = f'{split}_ref' if reference else split
        everything = bool(ann_file or data_prefix)
        self.parts = () if everything else tuple(f'{condition}/{folder}' for condition in conditions)
        super().__init__(
            split=split,
            use_labels=use_labels and not reference,
            img_suffix=img_suffix or ('_rgb_ref_anon.png' if reference else None),
            ann_file=ann_file,
            data_prefix=data_prefix,
            **kwargs,
        )

    def list_images(self) -> list[str]:
        """Return the names of the images of the conditions in the split, or of all images in other folders."""
        if not self.parts:
            return super().list_images()
        images: list[str] = []
        for part in self.parts:
            folder = osp.join(self._img_dir, part)
            there = fileio.isdir(folder, self.backend_args)
            found, others = list_folder(folder, self.img_suffix, self.backend_args) if there else ([], {})
            if not found:
                raise FileNotFoundError(
                    f'{self._name} found no image named {told_suffixes(self.img_suffix)} in {folder}/. {self._expected}'
                )
            images += [osp.join(part, name) for name in found]
            self.left_out.update(others)
        return sorted(images)
