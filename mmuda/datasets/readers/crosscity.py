"""Reader of Cross-City."""

from collections.abc import Mapping
from typing import Any

import mmengine.fileio as fileio
from mmseg.registry import DATASETS

from ..label_tables import LabelTable
from .raw_dataset import RawSegDataset

CITIES = ('Rio', 'Rome', 'Taipei', 'Tokyo')
FOLDERS = dict(Rome=('Rome', 'Roma'))
"""Possible names of the folder of a city with two names: the download has Roma, papers write Rome."""

_IMG_SUFFIXES = ('.png', '.jpg')


@DATASETS.register_module()
class CrossCityDataset(RawSegDataset):
    """One city of "No More Discrimination" (Chen et al., ICCV 2017), as downloaded.

    ``CITY/Images/Train`` has 3 200 frames without labels. ``CITY/Images/Test`` and ``CITY/Labels/Test/NAME_eval.png``
    are 100 frames with Cityscapes ids. Thirteen of the 19 classes are annotated. Papers train with 19 classes and
    report these 13. To train with 13, set ``metainfo=dict(classes=CROSSCITY13)``.

    Args:
        city: ``'Rio'``, ``'Rome'`` (also ``'Roma'``; the folder can have either name), ``'Taipei'`` or ``'Tokyo'``.
        split: ``'train'`` (never labelled) or ``'test'``.
        label_table: As in :class:`RawSegDataset`.
        data_prefix: Other folders than those of city and split.
        img_suffix: Suffix of image names. None takes ``.png`` or ``.jpg``, whichever the folder has.
        seg_map_suffix: Suffix of label names.
        data_root: As in :class:`RawSegDataset`.
        backend_args: As in :class:`RawSegDataset`.
        **kwargs: Further arguments of :class:`RawSegDataset`.

    Raises:
        ValueError: If there is no such city or split, or the folder has both kinds of images.
    """

    LAYOUT = 'CITY/Images/Train/NAME.png, CITY/Images/Test/NAME.png and CITY/Labels/Test/NAME_eval.png'

    def __init__(
        self,
        city: str,
        split: str = 'train',
        label_table: str | Mapping | LabelTable = 'crosscity',
        data_prefix: Mapping | None = None,
        img_suffix: str | None = None,
        seg_map_suffix: str = '_eval.png',
        data_root: str | None = None,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        city = next((name for name, folders in FOLDERS.items() if city in folders), city)
        if city not in CITIES:
            raise ValueError(f'Cross-City has no city {city!r}: choose one of {", ".join(CITIES)}')
        if split not in ('train', 'test'):
            raise ValueError(f"Cross-City has the splits 'train' and 'test', but got {split!r}")
        if data_prefix is None:
            folder = _folder_of(city, data_root, backend_args)
            data_prefix = dict(img_path=f'{folder}/Images/{split.title()}')
            if split == 'test':
                data_prefix['seg_map_path'] = f'{folder}/Labels/Test'
        self.city, self.split = city, split
        super().__init__(
            label_table=label_table,
            data_root=data_root,
            data_prefix=data_prefix,
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            backend_args=backend_args,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Return the samples: all images, with labels in the test split, sorted by image name."""
        if not self.img_suffix:
            self.check_folders()
            self.img_suffix = self._find_suffix()
        return super().load_data_list()

    def _find_suffix(self) -> str:
        names = fileio.list_dir_or_file(
            self._img_dir, list_dir=False, suffix=_IMG_SUFFIXES, recursive=True, backend_args=self.backend_args
        )
        found = {suffix for name in names for suffix in _IMG_SUFFIXES if name.endswith(suffix)}
        if len(found) > 1:
            raise ValueError(
                f"{self._img_dir} holds {' and '.join(sorted(found))} images: choose one kind, as in img_suffix='.png'"
            )
        return found.pop() if found else _IMG_SUFFIXES[0]


def _folder_of(city: str, data_root: str | None, backend_args: dict | None) -> str:
    """Return the name of the folder of a city; the name of the city if there is no folder."""
    names = FOLDERS.get(city, (city,))
    there = (name for name in names if fileio.isdir(fileio.join_path(data_root or '', name), backend_args))
    return city if len(names) == 1 else next(there, city)
