"""Checks of the samples that enter a transform, and the keys that a change of size writes to a sample."""

import numpy as np


def check_image(results: dict, step: object) -> np.ndarray:
    """Return the image of a sample after checking its shape and dtype.

    Args:
        results: Sample with ``img``.
        step: Transform that needs the image, for the message.

    Raises:
        TypeError: If the image is not (H, W, 3) uint8.
    """
    image = results['img']
    if image.dtype != np.uint8 or image.shape[2:] != (3,):
        raise TypeError(
            f'{type(step).__name__}: the image {results.get("img_path")} must be (H, W, 3) uint8, but is {image.shape} '
            f'{image.dtype}: put {type(step).__name__} before normalisation, and load images with 8 bits and three '
            'channels (to_float32=False)'
        )
    return image


def check_label(results: dict, step: object, key: str = 'gt_seg_map') -> np.ndarray:
    """Return a label of a sample after checking its dtype and comparing its size with that of the image.

    Args:
        results: Sample with ``img`` and ``key``.
        step: Transform that needs the label, for the message.
        key: Key of the label.

    Raises:
        TypeError: If the label is not uint8.
        ValueError: If the label has another size than the image.
    """
    name, path, image, label = type(step).__name__, results.get('img_path'), results['img'], results[key]
    if label.dtype != np.uint8:
        raise TypeError(f'{name}: {key} of {path} must be uint8 train ids, but is {label.dtype}')
    if label.shape != image.shape[:2]:
        raise ValueError(
            f'{name}: {key} of {path} is {label.shape}, but the image is {image.shape[:2]} (H, W): put {name} where '
            'both have one size, right after loading'
        )
    return label


def record_resize(results: dict, before: tuple[int, int]) -> None:
    """Write the keys that mmcv's ``Resize`` writes: ``img_shape``, ``scale``, ``scale_factor`` and ``keep_ratio``.

    Args:
        results: Sample with the resized ``img``.
        before: (H, W) of the image before the change.
    """
    height, width = results['img'].shape[:2]
    results['img_shape'] = (height, width)
    results['scale'] = (width, height)
    results['scale_factor'] = (width / before[1], height / before[0])
    results['keep_ratio'] = True
