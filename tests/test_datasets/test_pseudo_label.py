"""Labels that a network made: reading files, and the data set of a labelling."""

from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import image, write, write_palette, write_synthia
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image

from mmuda.datasets import DomainPairDataset, DomainUnionDataset, PseudoLabelDataset
from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, SYNTHIA16
from mmuda.labeling import Argmax, MedianCap, label_images

H, W = 12, 20
PIPELINE = [dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), dict(type='PackSegInputs')]


def load(path, results=(), **kwargs) -> dict:
    transform = TRANSFORMS.build(dict(type='LoadPseudoLabel', **kwargs))
    basic = dict(img_path='street.png', seg_map_path=str(path), num_classes=16, seg_fields=[])
    return transform({**basic, **dict(results)})


def label(seed: int = 0, num_classes: int = 16, size=(H, W)) -> np.ndarray:
    ids = np.random.default_rng(seed).integers(0, num_classes, size, dtype=np.uint8)
    ids[:2, :3] = 255
    return ids


# Files


def test_train_ids_are_taken_as_they_are(tmp_path):
    path = write(tmp_path / 'label.png', label())
    results = load(
        path,
        dict(
            label_map={n: 255 for n in range(19)},
            label_table='gta5',
            reduce_zero_label=False,
            ori_shape=(H, W),
            img=image(),
        ),
    )
    np.testing.assert_array_equal(results['gt_seg_map'], label())
    assert results['gt_seg_map'].dtype == np.uint8 and results['seg_fields'] == ['gt_seg_map']


@pytest.mark.parametrize('size', [(H, W), (6, 10), (7, 13), (30, 45)])
def test_resizing_is_pillows_nearest(tmp_path, size):
    path = write(tmp_path / 'label.png', label())
    results = load(path, dict(img=image(0, *size), ori_shape=(99, 99)), resize=True)
    wanted = np.array(Image.fromarray(label()).resize(size[::-1], Image.Resampling.NEAREST))
    np.testing.assert_array_equal(results['gt_seg_map'], wanted)


def test_palette_files_hold_ids_too(tmp_path):
    path = write_palette(tmp_path / 'label.png', label())
    np.testing.assert_array_equal(load(path)['gt_seg_map'], label())


def test_another_size_is_an_error(tmp_path):
    path = write(tmp_path / 'label.png', label())
    with pytest.raises(ValueError, match=r'label.png is 20x12 .* its image street.png is 40x24: .* say resize=True'):
        load(path, dict(ori_shape=(24, 40)))
    with pytest.raises(ValueError, match='its image street.png is 10x6 and 20x12: put LoadPseudoLabel before'):
        load(path, dict(ori_shape=(H, W), img=image(0, 6, 10)))


def test_resizing_wants_the_image_first_and_unmirrored(tmp_path):
    path = write(tmp_path / 'label.png', label())
    with pytest.raises(ValueError, match='comes after the image is loaded'):
        load(path, resize=True)
    with pytest.raises(ValueError, match='before RandomFlip'):
        load(path, dict(img=image(), flip=True), resize=True)


def test_ids_that_are_no_class_are_an_error(tmp_path):
    ids = label()
    ids[5, 5:9] = 16, 17, 18, 33
    path = write(tmp_path / 'label.png', ids)
    with pytest.raises(ValueError, match=r'label.png holds the ids 16-18, 33, but .* 0-15 and 255 .* labels again'):
        load(path)
    assert load(path, dict(num_classes=34))['gt_seg_map'].max() == 255
    assert load(path, dict(num_classes=None), num_classes=34)['gt_seg_map'][5, 8] == 33
    with pytest.raises(ValueError, match='does not say how many classes there are'):
        load(path, dict(num_classes=None))


def test_files_that_are_no_pseudo_label_are_told(tmp_path):
    with pytest.raises(ValueError, match='rgb.png has 3 channels'):
        load(write(tmp_path / 'rgb.png', image()))
    with pytest.raises(ValueError, match='has 3 channels'):
        load(write_synthia(tmp_path / 'synthia.png', label()))
    Image.fromarray(label().astype(np.uint16)).save(tmp_path / 'deep.png')
    with pytest.raises(ValueError, match='deep.png is a 16-bit file, but pseudo labels are 8-bit'):
        load(tmp_path / 'deep.png')
    with pytest.raises(FileNotFoundError, match='missing.png does not exist'):
        load(tmp_path / 'missing.png')
    whole = write(tmp_path / 'cut.png', label()).read_bytes()
    (tmp_path / 'cut.png').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match='cut.png cannot be decoded'):
        load(tmp_path / 'cut.png')
    with pytest.raises(ValueError, match='no pseudo label belongs to street.png'):
        load(None, dict(seg_map_path=None))


# The data set


def labelling(root: Path, count: int = 3, classes=SYNTHIA16, strategy=None) -> Path:
    """A real labelling of a few images: image n is labelled with `label(n)`, all classes and no pixel ignored."""
    images = [str(write(root / 'images' / f'{n}.png', image(n))) for n in range(count)]
    maps = [torch.from_numpy(label(n, len(classes)) % len(classes)).long() for n in range(count)]

    def probabilities(indices):
        for index in indices:
            yield torch.nn.functional.one_hot(maps[index], len(classes)).permute(2, 0, 1).float()

    label_images(images, probabilities, str(root / 'labels'), strategy or Argmax(), classes, facts={})
    return root / 'labels'


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
        np.testing.assert_array_equal(item['data_samples'].gt_sem_seg.data[0].numpy(), label(n) % 16)
    assert data.get_data_info(0)['num_classes'] == 16 and data.get_data_info(0)['label_map'] is None


def test_classes_and_colours(tmp_path):
    data = dataset(labelling(tmp_path))
    assert tuple(data.metainfo['classes']) == SYNTHIA16
    assert data.metainfo['palette'][-1] == CITYSCAPES_PALETTE[-1] and len(data.metainfo['palette']) == 16
    own = dataset(labelling(tmp_path / 'own', classes=('cat', 'dog')), classes=('cat', 'dog'))
    assert len(own.metainfo['palette']) == 2 and own.metainfo['label_map'] is None
    nineteen = labelling(tmp_path / 'nineteen', classes=CITYSCAPES_CLASSES)
    assert PseudoLabelDataset(str(nineteen)).metainfo['palette'] == CITYSCAPES_PALETTE


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
    np.testing.assert_array_equal(item['target']['data_samples'].gt_sem_seg.data[0].numpy(), label(1) % 16)


@pytest.mark.parametrize('strategy', [Argmax(), MedianCap()])
def test_class_sizes_of_a_labelling_decide_what_is_mined(tmp_path, strategy):
    """The folder need not be there yet when the pipeline is built: a later round writes it."""
    folder = labelling(tmp_path, strategy=strategy)
    crop = TRANSFORMS.build(
        dict(type='SmallClassCrop', size=16, manifest=str(tmp_path / 'later'), threshold=0.05, number=2)
    )
    with pytest.raises(FileNotFoundError, match='later'):
        crop.small_classes()
    folder.rename(tmp_path / 'later')
    sizes = sum(np.bincount((label(n) % 16).ravel(), minlength=16) for n in range(3))
    priority, mined = crop.small_classes()
    assert priority == tuple(np.flatnonzero(sizes / sizes.sum() < 0.05)) and 0 < len(priority) < 16
    assert mined == tuple(np.argsort(sizes, kind='stable')[:2])
