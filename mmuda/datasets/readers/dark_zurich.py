"""Reader of Dark Zurich."""

from typing import Any

from mmseg.registry import DATASETS

from .published import PublishedDataset, one_of

TIMES = ('night', 'twilight', 'day')


@DATASETS.register_module()
class RawDarkZurichDataset(PublishedDataset):
    """One time of day of Dark Zurich (Sakaridis et al., ICCV 2019), as downloaded.

    Images are ``rgb_anon/SPLIT/TIME/SEQUENCE/NAME_rgb_anon.png`` of 1920x1080 pixels, labels are
    ``gt/val/night/SEQUENCE/NAME_gt_labelTrainIds.png``. The training split has 2 416 images at night, 2 920 at twilight
    and 3 041 by day. 50 labelled images at night are for validation and 151 for the test server; ``val_ref`` and
    ``test_ref`` have images of the same places by day. Papers train with the night images and report the test split,
    from which the validation split differs strongly.

    mmseg's ``DarkZurichDataset`` reads any folder of such files. The lists of the authors can be given as ``ann_file``
    to both classes.

    Args:
        split: ``'train'``, ``'val'``, ``'test'``, ``'val_ref'`` or ``'test_ref'``; only ``'val'`` has labels.
        time: ``'night'``, ``'twilight'`` or ``'day'``.
        **kwargs: Further arguments of :class:`PublishedDataset`.

    Raises:
        ValueError: If there is no such split or time.
    """

    LAYOUT = 'rgb_anon/train/night/SEQUENCE/NAME_rgb_anon.png and gt/val/night/SEQUENCE/NAME_gt_labelTrainIds.png'
    FOLDERS = dict(
        train=('rgb_anon/train/{time}', None),
        val=('rgb_anon/val/{time}', 'gt/val/{time}'),
        test=('rgb_anon/test/{time}', None),
        val_ref=('rgb_anon/val_ref/{time}', None),
        test_ref=('rgb_anon/test_ref/{time}', None),
    )
    IMG_SUFFIX = '_rgb_anon.png'
    SEG_MAP_SUFFIX = '_gt_labelTrainIds.png'

    def __init__(self, split: str = 'train', time: str = 'night', **kwargs: Any) -> None:
        self.time = one_of('time', time, TIMES, type(self).__name__)
        super().__init__(split=split, choice=dict(time=time), **kwargs)
