"""Small files in the layouts and encodings of the public data sets.

They follow the published descriptions: palette PNG for GTA5, 16-bit three-channel PNG with the id in the red channel
for SYNTHIA, 8-bit ids for the others. They were not compared with real files of GTA5, SYNTHIA, Synscapes or Cross-City.
"""

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from mmseg.registry import DATASETS
from PIL import Image

from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, SYNTHIA16
from mmuda.datasets.label_tables import get_label_table, lookup_array
from mmuda.datasets.readers.raw_dataset import RawSegDataset
from mmuda.labeling import Argmax, label_images

H, W = 12, 20


def image(seed: int = 0, height: int = H, width: int = W) -> np.ndarray:
    """Return a random RGB image (H, W, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ids(known, seed: int = 0, height: int = H, width: int = W) -> np.ndarray:
    """Return random ids (H, W) with each of the known ids at least once."""
    known = np.array(list(known))
    drawn = np.random.default_rng(seed).choice(known, (height, width))
    drawn.flat[: len(known)] = known
    return drawn


def saved(image: Image.Image, kind: str, **options) -> bytes:
    """Return the bytes of an image file written by Pillow."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def encoded(values: np.ndarray, suffix: str) -> bytes:
    """Return the bytes of an image file written by OpenCV."""
    done, data = cv2.imencode(suffix, values)
    assert done
    return data.tobytes()


def npz(**arrays) -> bytes:
    """Return the bytes of a .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(values: np.ndarray) -> bytes:
    """Return the bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def write(path: Path, pixels: np.ndarray) -> Path:
    """Write an RGB or grey 8-bit image file; the suffix determines the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def write_palette(path: Path, indices: np.ndarray) -> Path:
    """Write a palette PNG whose colours are unrelated to the indices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coded = Image.frombytes('P', indices.shape[::-1], indices.astype(np.uint8).tobytes())
    coded.putpalette([(7 * i) % 256 for i in range(768)])
    coded.save(path)
    return path


def write_synthia(path: Path, classes: np.ndarray) -> Path:
    """Write a 16-bit PNG with the class in the red channel and another number in green and blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    red_last = np.full((*classes.shape, 3), 777, np.uint16)
    red_last[..., 2] = classes
    assert cv2.imwrite(str(path), red_last)
    return path


def gta5(root: Path, count: int = 3) -> Path:
    """Write `images/00001.png` and `labels/00001.png`."""
    for n in range(1, count + 1):
        write(root / 'images' / f'{n:05d}.png', image(n))
        write_palette(root / 'labels' / f'{n:05d}.png', ids(range(35), n))
    return root


def synthia(root: Path, count: int = 2) -> Path:
    """Write `RGB/0000000.png` and `GT/LABELS/0000000.png`."""
    for n in range(count):
        write(root / 'RGB' / f'{n:07d}.png', image(n))
        write_synthia(root / 'GT' / 'LABELS' / f'{n:07d}.png', ids(range(23), n))
    return root


def synscapes(root: Path, count: int = 2) -> Path:
    """Write `img/rgb/1.png` and `img/class/1.png`."""
    for n in range(1, count + 1):
        write(root / 'img' / 'rgb' / f'{n}.png', image(n))
        write(root / 'img' / 'class' / f'{n}.png', ids(range(34), n))
    return root


def cityscapes(root: Path, split: str = 'val', count: int = 2) -> Path:
    """Write `leftImg8bit/val/CITY/*_leftImg8bit.png` and `gtFine/val/CITY/*_gtFine_labelIds.png`."""
    for n in range(count):
        stem = f'{split}/frankfurt/frankfurt_{n:06d}_000294'
        write(root / 'leftImg8bit' / f'{stem}_leftImg8bit.png', image(n))
        write(root / 'gtFine' / f'{stem}_gtFine_labelIds.png', ids((*range(34), 255), n))
    return root


def crosscity(root: Path, city: str = 'Rome', suffix: str = '.png', count: int = 2) -> Path:
    """Write `CITY/Images/Train`, `CITY/Images/Test` and `CITY/Labels/Test/NAME_eval.png`."""
    for n in range(count):
        write(root / city / 'Images' / 'Train' / f'pano_{n:05d}{suffix}', image(n))
        write(root / city / 'Images' / 'Test' / f'pano_{n + 50:05d}{suffix}', image(n + 50))
        write(root / city / 'Labels' / 'Test' / f'pano_{n + 50:05d}_eval.png', ids(range(34), n))
    return root


def pseudo_label(seed: int = 0, num_classes: int = 16, size=(H, W)) -> np.ndarray:
    """Return random train ids, a few of them ignored (255)."""
    drawn = np.random.default_rng(seed).integers(0, num_classes, size, dtype=np.uint8)
    drawn[:2, :3] = 255
    return drawn


def labelling(root: Path, count: int = 3, classes=SYNTHIA16, strategy=None) -> Path:
    """Label a few images with `label_images` and return the folder of the labels.

    The most likely classes of image n are those of `pseudo_label(n)`. Ignored pixels get a class, too.
    """
    images = [str(write(root / 'images' / f'{n}.png', image(n))) for n in range(count)]
    maps = [torch.from_numpy(pseudo_label(n, len(classes)) % len(classes)).long() for n in range(count)]

    def probabilities(indices):
        for index in indices:
            yield torch.nn.functional.one_hot(maps[index], len(classes)).permute(2, 0, 1).float()

    label_images(images, probabilities, str(root / 'labels'), strategy or Argmax(), classes, facts={})
    return root / 'labels'


def train_ids(raw: np.ndarray, table: str, classes=None) -> np.ndarray:
    """Map raw ids by a label table, optionally for a subset of the classes."""
    label_map = classes and tuple(sorted(RawSegDataset.get_label_map(classes).items()))
    return lookup_array(get_label_table(table), label_map=label_map)[raw]


def check_reading(dataset: dict, root: Path, image: str, label: str, raw: np.ndarray, table: str, classes=None) -> None:
    """Compare the second sample of a data set with its files.

    Args:
        dataset: Config of the data set, without pipeline and classes.
        root: Folder of the data set.
        image: Path of the second image, relative to the folder.
        label: Path of its label, relative to the folder.
        raw: The ids in the label file.
        table: Name of the label table to apply.
        classes: A subset of the classes; None for all.
    """
    pipeline = [dict(type=name) for name in ('LoadDomainImage', 'LoadDomainAnnotations', 'PackSegInputs')]
    built = DATASETS.build(dict(dataset, pipeline=pipeline, metainfo=classes and dict(classes=classes)))
    info = built.get_data_info(1)
    assert (info['img_path'], info['seg_map_path']) == (str(root / image), str(root / label))
    packed = built[1]
    np.testing.assert_array_equal(packed['inputs'].permute(1, 2, 0).numpy()[..., ::-1], Image.open(root / image))
    np.testing.assert_array_equal(packed['data_samples'].gt_sem_seg.data[0].numpy(), train_ids(raw, table, classes))
    assert packed['data_samples'].ori_shape == raw.shape
    names = classes or CITYSCAPES_CLASSES
    assert built.metainfo['classes'] == names
    assert built.metainfo['palette'] == [CITYSCAPES_PALETTE[CITYSCAPES_CLASSES.index(name)] for name in names]


def acdc(root: Path, condition: str, split: str, count: int = 2) -> Path:
    """Write `rgb_anon/fog/train/SEQUENCE/*_rgb_anon.png`, `gt/fog/train/...` and a reference of each image."""
    for n in range(count):
        name = f'GOPR0351/GOPR0351_frame_{n:06d}'
        write(root / 'rgb_anon' / condition / split / f'{name}_rgb_anon.png', image(n))
        write(root / 'rgb_anon' / condition / f'{split}_ref' / f'{name}_rgb_ref_anon.png', image(n + 50))
        write(root / 'gt' / condition / split / f'{name}_gt_labelTrainIds.png', ids((*range(19), 255), n))
    return root


def pairs(images: str, labels: str, known, palette: bool = False) -> Callable[[Path], None]:
    """Return a function that writes two images and labels below a folder.

    Args:
        images: Path of an image, with `{n}` for its number.
        labels: Path of its label.
        known: The ids in the labels.
        palette: Write labels as palette files.
    """

    def write_all(root: Path) -> None:
        for n in range(2):
            write(root / images.format(n=n), image(n))
            (write_palette if palette else write)(root / labels.format(n=n), ids(known, n))

    return write_all


_TRAIN_IDS = (*range(19), 255)
PUBLISHED = {
    'acdc': lambda root: acdc(root, 'rain', 'val'),
    'mapillary_v1.2': pairs('validation/images/{n}.jpg', 'validation/v1.2/labels/{n}.png', range(66), palette=True),
    'mapillary_v2.0': pairs('validation/images/{n}.jpg', 'validation/v2.0/labels/{n}.png', range(124), palette=True),
    'idd': pairs(
        'leftImg8bit/val/1/00000{n}_leftImg8bit.png',
        'gtFine/val/1/00000{n}_gtFine_labellevel3Ids.png',
        (*range(26), 255),
    ),
    'idd_lite': pairs('leftImg8bit/val/1/{n}_image.jpg', 'gtFine/val/1/{n}_label.png', (*range(7), 255)),
    'urbansyn': pairs('rgb/rgb_000{n}.png', 'ss/ss_000{n}.png', range(20)),
    'loveda': pairs('Val/Urban/images_png/{n}.png', 'Val/Urban/masks_png/{n}.png', (*range(8), 9)),
    'potsdam': pairs('img_dir/val/2_10_{n}.png', 'ann_dir/val/2_10_{n}.png', range(7)),
    'vaihingen': pairs('img_dir/val/area1_{n}.png', 'ann_dir/val/area1_{n}.png', range(7)),
    # The palette index is the train id.
    'bdd100k': pairs('images/10k/val/{n}.jpg', 'labels/sem_seg/masks/val/{n}.png', _TRAIN_IDS, palette=True),
    'dark_zurich': pairs(
        'rgb_anon/val/night/a/{n}_rgb_anon.png', 'gt/val/night/a/{n}_gt_labelTrainIds.png', _TRAIN_IDS
    ),
    'night_driving': pairs(
        'leftImg8bit/test/night/{n}_leftImg8bit.png',
        'gtCoarse_daytime_trainvaltest/test/night/{n}_gtCoarse_labelTrainIds.png',
        _TRAIN_IDS,
    ),
}
PUBLISHED['raw_dark_zurich'] = PUBLISHED['dark_zurich']
"""Functions that write a small copy of a data set, by the name of the data set."""
