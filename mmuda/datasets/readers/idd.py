"""Readers of IDD, and of IDD-Lite, which has other classes."""

from mmseg.registry import DATASETS

from ..published_tables import OWN_CLASSES
from .published import PublishedDataset


@DATASETS.register_module()
class IDDDataset(PublishedDataset):
    """The India Driving Dataset (Varma et al., WACV 2019) with the 19 classes of Cityscapes.

    Images are ``leftImg8bit/SPLIT/SEQUENCE/NAME_leftImg8bit.png`` (``.jpg`` in the second part of the download), labels
    are ``gtFine/SPLIT/SEQUENCE/NAME_gtFine_labellevel3Ids.png``. The download has polygons; the authors' tool draws the
    labels: ``createLabels.py --id-type level3Id``. For labels that were drawn with ``--id-type csTrainId``, set
    ``seg_map_suffix='_gtFine_labelcsTrainIds.png'`` and ``label_table='train_ids'``.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'`` (no labels).
        **kwargs: Further arguments of :class:`PublishedDataset`; without ``img_suffix``, both kinds of images are read.
    """

    LAYOUT = (
        'leftImg8bit/train/SEQUENCE/NAME_leftImg8bit.png and gtFine/train/SEQUENCE/NAME_gtFine_labellevel3Ids.png '
        '(IDD-Lite has seven other classes: IDDLiteDataset)'
    )
    FOLDERS = dict(
        train=('leftImg8bit/train', 'gtFine/train'),
        val=('leftImg8bit/val', 'gtFine/val'),
        test=('leftImg8bit/test', None),
    )
    TABLE = 'idd'
    IMG_SUFFIX = ('_leftImg8bit.png', '_leftImg8bit.jpg')
    SEG_MAP_SUFFIX = '_gtFine_labellevel3Ids.png'


@DATASETS.register_module()
class IDDLiteDataset(PublishedDataset):
    """IDD-Lite: images of 320x227 with the seven classes of level 1, as downloaded.

    Images are ``leftImg8bit/SPLIT/SEQUENCE/NAME_image.jpg``, labels are ``gtFine/SPLIT/SEQUENCE/NAME_label.png``. The
    classes are not those of Cityscapes, so this data set cannot be paired with one that has the Cityscapes classes.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'`` (no labels).
        **kwargs: Further arguments of :class:`PublishedDataset`.
    """

    METAINFO = OWN_CLASSES['idd_lite']
    LAYOUT = 'leftImg8bit/train/SEQUENCE/NAME_image.jpg and gtFine/train/SEQUENCE/NAME_label.png'
    FOLDERS = IDDDataset.FOLDERS
    TABLE = 'idd_lite'
    IMG_SUFFIX = '_image.jpg'
    SEG_MAP_SUFFIX = '_label.png'
