"""Spatial priors: the places in an image where each class is likely (CBST-SP, Zou et al., ECCV 2018).

A prior is float32 (C, H, W). Each class sums to 1, or to 0 if it never occurs. Probabilities are multiplied by the
prior.
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
        FileNotFoundError: If the file does not exist.
        ValueError: If the file has another type or is damaged, or the array has another shape or impossible values.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise ValueError(f'{path}: the extension of a prior is one of {", ".join(READERS)}')
    with path.open('rb') as file:
        try:
            prior = READERS[path.suffix](file)
        except Exception as error:  # each reader raises other types of errors for a damaged file
            raise ValueError(f'{path}: not a prior that can be read: {error}') from error
    return _checked(prior, f'{path}: ')


def save_prior(path: str | Path, prior: np.ndarray) -> None:
    """Write a prior (C, H, W) atomically as float32 to a ``.npz`` file.

    Raises:
        ValueError: If ``path`` has another extension, or the prior another shape or impossible values.
    """
    if Path(path).suffix != '.npz':
        raise ValueError(f'{path}: a prior is saved as .npz: choose this extension')
    content = io.BytesIO()
    np.savez(content, prior=_checked(prior, ''))
    write_atomically(path, content.getvalue())


def _checked(prior: np.ndarray, where: str) -> np.ndarray:
    if prior.ndim != 3 or prior.dtype.kind not in 'fiu':
        raise ValueError(f'{where}a prior is an array of numbers (C, H, W), but this is {prior.dtype} {prior.shape}')
    prior = prior.astype(np.float32, copy=False)
    if not (np.isfinite(prior).all() and prior.min() >= 0 and prior.any()):
        raise ValueError(
            f'{where}the values of a prior must be finite, at least 0, and not all 0, but this one has values from '
            f'{prior.min()} to {prior.max()}'
        )
    return prior


def estimate_prior(
    labels: Iterable[np.ndarray], num_classes: int, size: tuple[int, int], kernel: int = 70
) -> np.ndarray:
    """Return how often each class occurs at each place of the source labels, smoothed; each class sums to 1.

    A class that occurs in no label gets zeros and never becomes a pseudo label. The memory is that of one prior.

    Args:
        labels: (H, W) uint8 train ids, 255 is ignored; resized to ``size`` by nearest neighbour.
        num_classes: C.
        size: (H, W) of the prior, which is the size of the target images.
        kernel: Width of the Gaussian kernel in pixels; 70 in the paper. It covers three standard deviations in each
            direction. An even width becomes odd by one more pixel. Maps are mirrored beyond their border.

    Returns:
        The prior, (C, H, W) float32.

    Raises:
        ValueError: If no label has a class, a label has a class of C or more, or the kernel has no pixel.
    """
    return prior_of_counts(count_classes(labels, num_classes, size), kernel)


def count_classes(labels: Iterable[np.ndarray], num_classes: int, size: tuple[int, int]) -> np.ndarray:
    """Return how often each class occurs at each place, (C, H, W) float32. Counts of several processes can be added.

    The arguments are those of :func:`estimate_prior`.

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
    """Smooth the result of :func:`count_classes` in place, and scale each class to the sum 1.

    Args:
        counts: (C, H, W) float32.
        kernel: See :func:`estimate_prior`.

    Raises:
        ValueError: If all counts are 0, or the kernel has no pixel.
    """
    if kernel < 1:
        raise ValueError(f'kernel={kernel}: must be at least 1 pixel (1 does not smooth)')
    if not counts.any():
        raise ValueError('no label has a class: a prior needs labelled pixels; check the label files')
    prior = counts
    for plane in prior:
        cv2.GaussianBlur(plane, (kernel | 1,) * 2, kernel / 6, dst=plane, borderType=cv2.BORDER_REFLECT)
    return _scaled(prior, (prior.sum(axis=(1, 2)) > 0).astype(np.float32))


def resize_prior(prior: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a prior (C, H, W) at another size (H, W): bilinear, with the same sum of each class."""
    if prior.shape[1:] == tuple(size):
        return prior
    resized = np.stack([cv2.resize(plane, tuple(size)[::-1], interpolation=cv2.INTER_LINEAR) for plane in prior])
    return _scaled(resized, prior.sum(axis=(1, 2), dtype=np.float64))


def _scaled(prior: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Scale the classes of a prior in place to these sums (C,); a class of zeros keeps its zeros."""
    found = prior.sum(axis=(1, 2), dtype=np.float64)
    prior *= np.divide(sums, found, out=np.zeros_like(found), where=found > 0)[:, None, None].astype(np.float32)
    return prior
