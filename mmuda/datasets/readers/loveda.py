"""Reader of LoveDA."""

from typing import Any

from mmseg.registry import DATASETS

from ..published_tables import OWN_CLASSES
from .published import PublishedDataset, one_of

AREAS = ('Rural', 'Urban')


@DATASETS.register_module()
class RawLoveDADataset(PublishedDataset):
    """One area of LoveDA (Wang et al., NeurIPS 2021 Datasets and Benchmarks; 1024x1024, 0.3 m), as downloaded.

    Images are ``Train/Rural/images_png/0.png``, labels are ``Train/Rural/masks_png/0.png``. In the files, 0 means no
    data and is ignored, like a stray 9 in some files; 1 is background, which is a class. mmseg's ``LoveDADataset``
    reads the output of mmseg's converter, which does not separate the areas.

    Args:
        area: ``'Rural'`` or ``'Urban'``.
        split: ``'train'``, ``'val'`` or ``'test'`` (no labels; predictions go to the server).
        **kwargs: Further arguments of :class:`PublishedDataset`.

    Raises:
        ValueError: If there is no such area or split.
    """

    METAINFO = OWN_CLASSES['loveda']
    LAYOUT = 'Train/Rural/images_png/0.png ... and Train/Rural/masks_png/0.png ..., also Urban, and Val and Test'
    FOLDERS = dict(
        train=('Train/{area}/images_png', 'Train/{area}/masks_png'),
        val=('Val/{area}/images_png', 'Val/{area}/masks_png'),
        test=('Test/{area}/images_png', None),
    )
    TABLE = 'loveda'

    def __init__(self, area: str, split: str = 'train', **kwargs: Any) -> None:
        self.area = one_of('area', area, AREAS, type(self).__name__)
        super().__init__(split=split, choice=dict(area=area), **kwargs)
