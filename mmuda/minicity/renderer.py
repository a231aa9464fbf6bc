"""Rendering of one image of MiniCity with its labels."""

import cv2
import numpy as np

from .classes import RAW_IDS
from .looks import colour_image, inverse_depth, raw_id_image
from .scene import build_scene
from .style import add_clouds, add_fog, develop
from .towns import DOMAINS, VERSION, get_town

SPLITS = ('train', 'val')
_OVERSAMPLING = 2


def render(
    domain: str, seed: int, split: str, index: int, size: tuple[int, int] = (128, 64), version: int = VERSION
) -> tuple[np.ndarray, np.ndarray]:
    """Render one image and its labels, as a pure function of the arguments.

    Args:
        domain: ``'source'`` or ``'target'``.
        seed: Seed of the data set, not negative.
        split: ``'train'`` or ``'val'``.
        index: Index of the image in its split, not negative.
        size: (W, H) in pixels, each at least 32.
        version: Version of the looks; see :mod:`towns`. The streets are the same in all versions.

    Returns:
        Image (H, W, 3) uint8 RGB, and raw label ids (H, W) uint8.

    Raises:
        ValueError: If version, domain or split is unknown, seed or index is negative, or a side is below 32 pixels.
    """
    town = get_town(version, domain)
    if split not in SPLITS:
        raise ValueError(f'unknown split {split!r}: expected one of {SPLITS}')
    if seed < 0 or index < 0:
        raise ValueError(f'seed and index must not be negative, got {seed} and {index}')
    if min(size) < 32:
        raise ValueError(f'size (W, H) must be at least 32 each, got {tuple(size)}')
    streams = np.random.SeedSequence([seed, DOMAINS.index(domain), SPLITS.index(split), index]).spawn(3)
    scene_rng, look_rng, style_rng = (np.random.default_rng(stream) for stream in streams)

    canvas = build_scene(scene_rng, (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING))
    ids = raw_id_image(canvas)
    image = colour_image(canvas, town, look_rng)
    if town.weather is not None:
        add_clouds(image, ids == RAW_IDS['sky'], town.weather, style_rng)
        image = add_fog(image, inverse_depth(canvas), town.weather, style_rng)
    image = cv2.resize(image, tuple(size), interpolation=cv2.INTER_AREA)
    if town.photo is not None:
        image = develop(image, town.photo, style_rng)
    labels = np.ascontiguousarray(ids[_OVERSAMPLING // 2 :: _OVERSAMPLING, _OVERSAMPLING // 2 :: _OVERSAMPLING])
    return np.clip(np.round(image), 0, 255).astype(np.uint8), labels
