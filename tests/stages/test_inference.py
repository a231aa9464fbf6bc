"""The images of an inference stage."""

from pathlib import Path

import pytest
from mmengine.registry import init_default_scope
from toolbox import tiny_config

from mmuda.datasets import build_dataset
from mmuda.engine.probabilities import inference_dataset
from mmuda.stages.inference import ImageSet


@pytest.fixture
def cfg(minicity, tmp_path):
    init_default_scope('mmseg')
    return tiny_config('source_only', minicity, tmp_path)


@pytest.fixture
def images(cfg) -> ImageSet:
    return ImageSet(build_dataset(inference_dataset(cfg)))


def test_target_images_are_read_without_labels(cfg, images):
    assert len(images.paths) == 5 and all('train' in path for path in images.paths)
    assert 'gt_sem_seg' not in images.dataset[0]['data_samples']
    assert images.size('image') == images.size('input') == (48, 64) and len(images.classes) == 19


def test_a_list_chooses_and_orders_images(images, tmp_path):
    chosen = [images.paths[3], images.paths[1]]
    keep = tmp_path / 'keep.txt'
    keep.write_text('\n'.join(chosen) + '\n')
    assert ImageSet(images.dataset, keep).paths == chosen
    # A list from another machine, with labels after tabs.
    keep.write_text('\n'.join(f'/elsewhere/{Path(path).name}\tlabel.png' for path in chosen))
    assert ImageSet(images.dataset, keep).indices == [3, 1]
    keep.write_text(f'{chosen[0]}\nnobody.png\n')
    with pytest.raises(ValueError, match=r"of 2 images 1 are not in the data set \(the first: 'nobody.png'\)"):
        ImageSet(images.dataset, keep)
    keep.write_text('')
    with pytest.raises(ValueError, match='of 0 images'):
        ImageSet(images.dataset, keep)
