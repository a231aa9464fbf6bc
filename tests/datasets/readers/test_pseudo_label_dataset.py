"""The data set of a labelling: images with pseudo labels of a network."""

from pathlib import Path

import numpy as np
import pytest
from layouts import image, labelling, pseudo_label
from mmseg.registry import DATASETS

from mmuda.datasets import DomainPairDataset, DomainUnionDataset, PseudoLabelDataset
from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, SYNTHIA16

PIPELINE = [dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), dict(type='PackSegInputs')]


def dataset(folder: Path, classes=SYNTHIA16, **kwargs) -> PseudoLabelDataset:
    return DATASETS.build(
        dict(
            type='PseudoLabelDataset',
            labels=str(folder),
            metainfo=dict(classes=classes),
            **{'pipeline': PIPELINE, **kwargs},
        )
    )


def names(data: PseudoLabelDataset) -> list:
    return [Path(data.get_data_info(n)['img_path']).name for n in range(len(data))]


def test_images_come_with_their_labels(tmp_path):
    data = dataset(labelling(tmp_path))
    assert names(data) == ['0.png', '1.png', '2.png']
    for n in range(3):
        item = data[n]
        np.testing.assert_array_equal(item['inputs'].permute(1, 2, 0).numpy()[..., ::-1], image(n))
        np.testing.assert_array_equal(item['data_samples'].gt_sem_seg.data[0].numpy(), pseudo_label(n) % 16)
    assert data.get_data_info(0)['num_classes'] == 16 and data.get_data_info(0)['label_map'] is None


def test_classes_and_colours(tmp_path):
    data = dataset(labelling(tmp_path))
    assert tuple(data.metainfo['classes']) == SYNTHIA16
    assert data.metainfo['palette'][-1] == CITYSCAPES_PALETTE[-1] and len(data.metainfo['palette']) == 16
    own = dataset(labelling(tmp_path / 'own', classes=('cat', 'dog')), classes=('cat', 'dog'))
    assert len(own.metainfo['palette']) == 2 and own.metainfo['label_map'] is None
    nineteen = labelling(tmp_path / 'nineteen', classes=CITYSCAPES_CLASSES)
    assert PseudoLabelDataset(str(nineteen)).metainfo['palette'] == CITYSCAPES_PALETTE


def test_classes_are_those_of_the_manifest(tmp_path):
    own = PseudoLabelDataset(str(labelling(tmp_path / 'own', classes=('cat', 'dog'))))
    assert tuple(own.metainfo['classes']) == ('cat', 'dog') and own.get_data_info(0)['num_classes'] == 2
    part = PseudoLabelDataset(str(labelling(tmp_path / 'part')))
    assert tuple(part.metainfo['classes']) == SYNTHIA16 and part.metainfo['palette'][-1] == CITYSCAPES_PALETTE[-1]
    later = PseudoLabelDataset(str(tmp_path / 'later'), lazy_init=True)
    assert 'classes' not in later.metainfo
    with pytest.raises(FileNotFoundError, match='manifest.json'):
        later.full_init()
    with pytest.raises(FileNotFoundError, match='manifest.json'):
        PseudoLabelDataset(str(tmp_path / 'later'))


def test_other_classes_are_an_error(tmp_path):
    folder = labelling(tmp_path)
    with pytest.raises(ValueError, match=r"made with the classes \('road', .*'terrain'.* or make the labels again"):
        dataset(folder, classes=CITYSCAPES_CLASSES)
    with pytest.raises(ValueError, match='leave reduce_zero_label out'):
        dataset(folder, reduce_zero_label=True)


def test_a_list_chooses_and_orders(tmp_path, monkeypatch):
    folder = labelling(tmp_path)
    (tmp_path / 'easy.txt').write_text(f'{tmp_path}/images/2.png\n\n{tmp_path}/images/0.png\n')
    assert names(dataset(folder, images=str(tmp_path / 'easy.txt'))) == ['2.png', '0.png']
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'relative.txt').write_text('images/1.png\nimages/../images/2.png')
    assert names(dataset(folder, images='relative.txt')) == ['1.png', '2.png']


@pytest.mark.parametrize(
    'lines, error, message',
    [
        (
            ['0', '9', '8'],
            ValueError,
            r'2 of the 3 images in .*list.txt have no pseudo label in .*: \n .*9.png\n .*8.png',
        ),
        (['0', '1', '0'], ValueError, r'list.txt lists images more than once: \n  .*0.png'),
        ([], ValueError, 'list.txt lists no image'),
        (None, FileNotFoundError, 'the list of images .*list.txt does not exist'),
    ],
)
def test_a_wrong_list_is_told(tmp_path, lines, error, message):
    folder = labelling(tmp_path)
    if lines is not None:
        (tmp_path / 'list.txt').write_text(''.join(f'{tmp_path}/images/{name}.png\n' for name in lines))
    with pytest.raises(error, match=message):
        dataset(folder, images=str(tmp_path / 'list.txt'))


def test_missing_files_are_told_before_training(tmp_path):
    folder = labelling(tmp_path, count=25)
    for n in range(1, 25):
        (tmp_path / 'images' / f'{n}.png').unlink()
    with pytest.raises(FileNotFoundError, match='24 of the 25 images that .*labels has labels for are') as error:
        dataset(folder)
    assert str(error.value).count('.png') == 20 and '... and 4 more' in str(error.value)
    (tmp_path / 'easy.txt').write_text(f'{tmp_path}/images/0.png')
    assert len(dataset(folder, images=str(tmp_path / 'easy.txt'))) == 1


def test_no_labelling_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        dataset(tmp_path)


@pytest.mark.parametrize('container', [DomainPairDataset, DomainUnionDataset])
def test_as_the_target_of_a_domain_data_set(tmp_path, container):
    config = dict(
        type='PseudoLabelDataset', labels=str(labelling(tmp_path)), metainfo=dict(classes=SYNTHIA16), pipeline=PIPELINE
    )
    both = container(config, config, pseudo_labels=True)
    item = both[(0, 0, 1)] if container is DomainPairDataset else both[(0, 'target', 1)]
    np.testing.assert_array_equal(item['target']['data_samples'].gt_sem_seg.data[0].numpy(), pseudo_label(1) % 16)
