"""Mapillary Vistas."""

from collections.abc import Mapping
from typing import Any

from mmseg.registry import DATASETS

from ..label_tables import LabelTable
from .published import PublishedDataset, one_of

VERSIONS = ('v1.2', 'v2.0')


@DATASETS.register_module()
class MapillaryVistasDataset(PublishedDataset):
    """Mapillary Vistas (Neuhold et al., ICCV 2017) with the 19 classes of Cityscapes, as downloaded.

    ``training/images/NAME.jpg`` and ``training/v1.2/labels/NAME.png`` or ``training/v2.0/labels/NAME.png``: palette
    files whose indices are ids, other ones in each version. 18 000 images for training, 2 000 for validation, of many
    sizes. mmseg's ``MapillaryDataset_v1`` and ``MapillaryDataset_v2`` have the original classes.

    Args:
        split: ``'training'``, ``'validation'`` or ``'testing'`` (no labels).
        version: Version of the labels. Where 1.2 was downloaded alone, its labels are in ``training/labels``: say so
            in ``data_prefix``.
        label_table: As in :class:`RawSegDataset`; None is that of the version.
        **kwargs: Of :class:`PublishedDataset`.

    Raises:
        ValueError: If there is no such split or version.
    """

    LAYOUT = 'training/images/NAME.jpg and training/v1.2/labels/NAME.png, or v2.0'
    FOLDERS = dict(
        training=('training/images', 'training/{version}/labels'),
        validation=('validation/images', 'validation/{version}/labels'),
        testing=('testing/images', None),
    )
    IMG_SUFFIX = '.jpg'

    def __init__(
        self,
        split: str = 'training',
        version: str = 'v1.2',
        label_table: str | Mapping | LabelTable | None = None,
        **kwargs: Any,
    ) -> None:
        self.version = one_of('version', version, VERSIONS, type(self).__name__)
        super().__init__(
            split=split,
            choice=dict(version=version),
            label_table=f'mapillary_{version}' if label_table is None else label_table,
            **kwargs,
        )
