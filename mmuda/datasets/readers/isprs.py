"""ISPRS Potsdam and Vaihingen."""

from mmseg.registry import DATASETS

from ..published_tables import OWN_CLASSES
from .published import PublishedDataset


class ISPRSTiles(PublishedDataset):
    """Tiles of 512x512 pixels as mmseg's converters cut and name them, with six classes.

    ``img_dir/train/NAME.png`` and ``ann_dir/train/NAME.png``; in the labels 0 is the border of the objects or the frame
    of the tile, which is ignored.

    Args:
        split: ``'train'`` or ``'val'``.
        **kwargs: Of :class:`PublishedDataset`.
    """

    METAINFO = OWN_CLASSES['isprs']
    LAYOUT = "img_dir/train/NAME.png and ann_dir/train/NAME.png, which mmseg's tools/dataset_converters write"
    FOLDERS = dict(train=('img_dir/train', 'ann_dir/train'), val=('img_dir/val', 'ann_dir/val'))
    TABLE = 'isprs'


@DATASETS.register_module()
class RawPotsdamDataset(ISPRSTiles):
    """Potsdam of the ISPRS 2D Semantic Labeling Contest (5 cm), from the tiles of mmseg's converter.

    Convert ``3_Ortho_IRRG.zip`` for pairs with Vaihingen, whose images have near infrared, red and green; the usual
    ``2_Ortho_RGB.zip`` has red, green and blue. The files do not tell which of them it was.

    Args:
        split: ``'train'`` or ``'val'``.
        **kwargs: Of :class:`PublishedDataset`.
    """


@DATASETS.register_module()
class RawVaihingenDataset(ISPRSTiles):
    """Vaihingen of the ISPRS 2D Semantic Labeling Contest (9 cm), from the tiles of mmseg's converter.

    The bands are near infrared, red and green, in the places of red, green and blue: vegetation looks red.

    Args:
        split: ``'train'`` or ``'val'``.
        **kwargs: Of :class:`PublishedDataset`.
    """
