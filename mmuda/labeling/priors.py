"""Where in an image each class is likely: the spatial priors of CBST-SP (Zou et al., ECCV 2018).

A prior is float32 (C, H, W). Each class sums to 1, or to 0 if it was never seen; probabilities are multiplied by it.
"""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from mmuda.constants import IGNORE_INDEX
from mmuda.files import write_atomically


def _read_npy(file: BinaryIO) -> np.ndarray:
    return np.load(file, allow_pickle=False)


def _read_npz(file: BinaryIO) -> np.ndarray:
    with np.load(file, allow_pickle=False) as archive:
        if 'prior' not in archive.files:
            raise ValueError(f'it has {archive.files}, but no array "prior": write it with save_prior')
        return archive['prior']


def _read_mat(file: BinaryIO) -> np.ndarray:
    from scipy.io import loadmat, whosmat  # only published priors need it: `import mmuda` stays fast

    try:
        found = loadmat(file, variable_names=['prior_array'])
    except NotImplementedError:
        raise ValueError(
            "it is an HDF5 file (MATLAB 7.3): in MATLAB save it with save(FILE, 'prior_array', '-v7')"
        ) from None
    if 'prior_array' not in found:
        raise ValueError(f'it has {[name for name, *_ in whosmat(file)]}, but no variable "prior_array"')
    return found['prior_array']


READERS: dict[str, Callable[[BinaryIO], np.ndarray]] = {'.npz': _read_npz, '.npy': _read_npy, '.mat': _read_mat}


def load_prior(path: str | Path) -> np.ndarray:
    """Read a prior, float32 (C, H, W).

    Args:
        path: ``.npz`` of :func:`save_prior`, ``.npy``, or the authors' ``.mat`` with the variable ``prior_array``.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is none of them, or has another shape or values that are no weights.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise ValueError(f'{path}: a prior is one of {", ".join(READERS)}')
    with path.open('rb') as file:
        try:
            prior = READERS[path.suffix](file)
        except Exception as error:  # the readers have many names for a damaged file
            raise ValueError(f'{path}: not a prior that can be read: {error}') from error
    return _checked(prior, f'{path}: ')


def save_prior(path: str | Path, prior: np.ndarray) -> None:
    """Write a prior (C, H, W) as float32 to a ``.npz`` file, whole or not at all."""
    if Path(path).suffix != '.npz':
        raise ValueError(f'{path}: a prior is saved as .npz')
    content = io.BytesIO()
    np.savez(content, prior=_checked(prior, ''))
    write_atomically(path, content.getvalue())


def _checked(prior: np.ndarray, where: str) -> np.ndarray:
    if prior.ndim != 3 or prior.dtype.kind not in 'fiu':
        raise ValueError(f'{where}a prior is an array of numbers (C, H, W), but this is {prior.dtype} {prior.shape}')
    prior = prior.astype(np.float32, copy=False)
    if not (np.isfinite(prior).all() and prior.min() >= 0 and prior.any()):
        raise ValueError(
            f'{where}a prior is made of finite weights from 0 on, not all 0, but this has values from '
            f'{prior.min()} to {prior.max()}'
        )
    return prior


def estimate_prior(
    labels: Iterable[np.ndarray], num_classes: int, size: tuple[int, int], kernel: int = 70
) -> np.ndarray:
    """How often each class is at each place of the source labels, smoothed; each class sums to 1.

    A class that is in no label gets zeros, so that it is never a pseudo label. Memory is that of one prior.

    Args:
        labels: (H, W) uint8 train ids, 255 ignored; brought to ``size`` by nearest neighbours.
        num_classes: C.
        size: (H, W) of the prior; that of the target images.
        kernel: Side of the Gaussian kernel in pixels; 70 in the paper. It covers three standard deviations to each
            side, and an even side gets one more pixel to have a centre. Beyond the border the map is mirrored.

    Raises:
        ValueError: If there is no label at all, one has a class of C or more, or the kernel has no pixel.
    """
    return prior_of_counts(count_classes(labels, num_classes, size), kernel)


def count_classes(labels: Iterable[np.ndarray], num_classes: int, size: tuple[int, int]) -> np.ndarray:
    """How often each class is at each place, (C, H, W) float32; counts of several processes can be added up.

    Args are those of :func:`estimate_prior`.

    Raises:
        ValueError: If a label has a class of C or more.
    """
    height, width = size
    prior = np.zeros((num_classes, height, width), np.float32)
    counts = prior.reshape(num_classes, -1)
    for number, label in enumerate(labels):
        if label.shape != (height, width):
            label = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        places = np.flatnonzero(label != IGNORE_INDEX)
        classes = label.ravel()[places]
        if classes.size and classes.max() >= num_classes:
            raise ValueError(
                f'label {number} has class {classes.max()}, expected 0..{num_classes - 1} or {IGNORE_INDEX}'
            )
        counts[classes, places] += 1
    return prior


def prior_of_counts(counts: np.ndarray, kernel: int = 70) -> np.ndarray:
    """Smooth what :func:`count_classes` returned, in place; each class sums to 1.

    Args:
        counts: (C, H, W) float32.
        kernel: See :func:`estimate_prior`.

    Raises:
        ValueError: If nothing was counted, or the kernel has no pixel.
    """
    if kernel < 1:
        raise ValueError(f'kernel={kernel}: must be at least 1 pixel, which does not smooth')
    if not counts.any():
        raise ValueError('no label has a class: a prior needs labelled pixels')
    prior = counts
    for plane in prior:
        cv2.GaussianBlur(plane, (kernel | 1,) * 2, kernel / 6, dst=plane, borderType=cv2.BORDER_REFLECT)
    return _scaled(prior, (prior.sum(axis=(1, 2)) > 0).astype(np.float32))


def resize_prior(prior: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A prior (C, H, W) at another size (H, W): bilinear, the sum of each class stays."""
    if prior.shape[1:] == tuple(size):
        return prior
    resized = np.stack([cv2.resize(plane, tuple(size)[::-1], interpolation=cv2.INTER_LINEAR) for plane in prior])
    return _scaled(resized, prior.sum(axis=(1, 2), dtype=np.float64))


def _scaled(prior: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """The prior, in place, with these sums (C,) of its classes; a class of zeros stays."""
    found = prior.sum(axis=(1, 2), dtype=np.float64)
    prior *= np.divide(sums, found, out=np.zeros_like(found), where=found > 0)[:, None, None].astype(np.float32)
    return prior
