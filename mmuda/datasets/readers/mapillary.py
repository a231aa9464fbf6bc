"""Reader of Mapillary Vistas."""

from collections.abc import Mapping
from typing import Any

from mmseg.registry import DATASETS

from ..label_tables import LabelTable
from .published import PublishedDataset, one_of

VERSIONS = ('v1.2', 'v2.0')


@DATASETS.register_module()
class MapillaryVistasDataset(PublishedDataset):
    """Mapillary Vistas (Neuhold et al., ICCV 2017) with the 19 classes of Cityscapes, as downloaded.

    Images are ``training/images/NAME.jpg``, labels are ``training/v1.2/labels/NAME.png`` or
    ``training/v2.0/labels/NAME.png``: palette files whose indices are ids, which differ between the versions. 18 000
    images are for training and 2 000 for validation, of many sizes. mmseg's ``MapillaryDataset_v1`` and
    ``MapillaryDataset_v2`` have the original classes.

    Args:
        split: ``'training'``, ``'validation'`` or ``'testing'`` (no labels).
        version: Version of the labels, ``'v1.2'`` or ``'v2.0'``. A download of 1.2 alone has its labels in
            ``training/labels``; then set ``data_prefix``.
        label_table: As in :class:`RawSegDataset`; None takes the table of the version.
        **kwargs: Further arguments of :class:`PublishedDataset`.

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
