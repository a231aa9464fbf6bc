"""Folders with data of a user: labelled renders and photographs of three classes."""

from pathlib import Path

import cv2
import numpy as np

COLOURS = np.array([(90, 90, 90), (30, 160, 40), (200, 40, 30)], np.uint8)
"""RGB colours of ground, tree and house in renders."""


def scene(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Return a label map (height, width) of the classes 0, 1 and 2."""
    random = np.random.default_rng(number)
    label = np.zeros((height, width), np.uint8)
    for value in (1, 2, 1, 2):
        row, column = random.integers(0, height - 12), random.integers(0, width - 12)
        label[row : row + 12, column : column + 12] = value
    return label


def render(label: np.ndarray, number: int = 0) -> np.ndarray:
    """Return the image (H, W, 3), BGR, of a label map, with noise unless the number is 0."""
    noise = np.random.default_rng(number).integers(-20, 20, (*label.shape, 3)) if number else 0
    return np.clip(COLOURS[label][..., ::-1].astype(int) + noise, 0, 255).astype(np.uint8)


def write(path: Path, array: np.ndarray) -> None:
    """Write an image and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


def write_folders(root: Path, values: tuple[int, ...] = (0, 1, 2), count: int = 3) -> Path:
    """Write renders with labels, photographs, and labelled photographs for validation.

    Args:
        root: Receives ``renders/{rgb,labels}/town/``, ``photographs/`` and ``checked/{images,masks}/``.
        values: Ids of the three classes in label files. A fourth value is written into a corner of the render labels.
        count: Number of images in each folder.
    """
    ids = np.array([*values, 255][:4], np.uint8)
    for number in range(1, count + 1):
        label = scene(number)
        stored = ids[label]
        if len(values) > 3:
            stored[:4, :4] = values[3]
        write(root / 'renders' / 'rgb' / 'town' / f'{number:04d}.png', render(label, number))
        write(root / 'renders' / 'labels' / 'town' / f'{number:04d}.png', stored)
        write(root / 'photographs' / f'IMG_{number}.JPG', 255 - render(scene(50 + number), number))
        other = scene(100 + number)
        write(root / 'checked' / 'images' / f'{number}.jpg', 255 - render(other, number))
        write(root / 'checked' / 'masks' / f'{number}_mask.png', np.array(ids[:3])[other])
    return root
