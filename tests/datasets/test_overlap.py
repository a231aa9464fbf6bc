"""Images that occur in two data sets."""

import layouts
from mmengine.dataset import ConcatDataset
from mmseg.registry import DATASETS
from toolbox import Numbers

from mmuda.datasets.overlap import common_images, image_files


def test_files_are_compared_and_not_their_names(tmp_path):
    root = layouts.gta5(tmp_path / 'files')
    (tmp_path / 'link').symlink_to(root)

    def images(folder, **options):
        return DATASETS.build(dict(type='GTA5Dataset', data_root=str(folder), pipeline=[], **options))

    whole, first = images(root), images(tmp_path / 'link', indices=1)
    assert common_images(first, whole) == image_files(first) == image_files(whole)[:0] + [first[0]['img_path']]
    assert common_images(whole, first) == image_files(whole)[:1]
    other = images(layouts.gta5(tmp_path / 'others'))
    assert common_images(other, whole) == []
    assert common_images(ConcatDataset([other, first]), whole) == image_files(first)
    assert common_images(Numbers(3), whole) == [] and common_images(whole, Numbers(3)) == []
