"""Pseudo labels of a teacher for the images of a training batch, and their weights."""

from typing import NamedTuple

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from .ema_teacher import EMATeacher

WEIGHTS = ('share', 'pixel', 'one')


class PseudoLabels(NamedTuple):
    """Labels that a network predicts, with a weight for each pixel.

    Attributes:
        labels: (N, H, W) int64.
        weight: (N, H, W) float32.
        share: Share of confident pixels in the whole batch, a scalar float32.
    """

    labels: Tensor
    weight: Tensor
    share: Tensor


@torch.no_grad()
def pseudo_labels(logits: Tensor, threshold: float = 0.968, weight: str = 'share') -> PseudoLabels:
    r"""Return the predicted classes of all pixels and their weights (DACS, Tranheden et al., WACV 2021, section 3.2).

    Args:
        logits: (N, C, H, W) of the teacher, at the size of the images.
        threshold: A pixel is confident if its largest probability is at least this.
        weight: ``'share'``: the weight of every pixel is the share of confident pixels in the batch (DACS and its
            successors). ``'pixel'``: confident pixels have weight 1, others 0. ``'one'``: all pixels have weight 1.

    Raises:
        ValueError: If ``weight`` is unknown.
    """
    if weight not in WEIGHTS:
        raise ValueError(f'pseudo label weight {weight!r}, expected one of {WEIGHTS}')
    largest, labels = logits.float().max(dim=1)
    # The maximum of softmax(logits), without a map of all probabilities besides the map of exponentials.
    confident = 1 / (logits.float() - largest[:, None]).exp_().sum(dim=1) >= threshold
    share = (confident.sum(dtype=torch.float64) / confident.numel()).float()
    if weight == 'pixel':
        return PseudoLabels(labels, confident.float(), share)
    return PseudoLabels(labels, (share if weight == 'share' else torch.ones_like(share)).expand(labels.shape), share)


def label_batch(teacher: EMATeacher, batch: dict, threshold: float = 0.968, weight: str = 'share') -> PseudoLabels:
    """Return a teacher's pseudo labels of the images of a batch.

    Pixels that the data set does not trust, and padding, have weight 0.

    Args:
        teacher: The network that predicts the labels.
        batch: ``inputs`` (N, 3, H, W), normalised, and ``data_samples``, see :func:`trust`.
        threshold: See :func:`pseudo_labels`.
        weight: See :func:`pseudo_labels`.
    """
    images = batch['inputs']
    found = pseudo_labels(teacher(images).upsample('main'), threshold, weight)
    trusted = trust(batch['data_samples'], images.shape[-2:], images.device)
    return found if trusted is None else found._replace(weight=found.weight * trusted)


def trust(samples: list[SegDataSample], size: tuple[int, int], device: torch.device) -> Tensor | None:
    """Return the map of trusted pixels, those where pseudo labels count.

    A sample can have a map ``trusted``, (1, h, w), that is 0 where pseudo labels must not count, such as at the borders
    of a rectified image or on the bonnet of the car (:class:`~mmuda.datasets.transforms.LoadTrustedPixels`). Padding
    that the preprocessor added is never trusted.

    Args:
        samples: One sample for each image.
        size: (H, W) of the network's input.
        device: Device of the result.

    Returns:
        (N, H, W) float32, 1 where a pixel is trusted and 0 elsewhere; None if all pixels of all images are trusted.

    Raises:
        ValueError: If a map and its image differ in size.
    """
    shapes = [tuple(sample.metainfo.get('img_shape', size)[:2]) for sample in samples]  # without padding
    if all(shape == tuple(size) and 'trusted' not in sample for sample, shape in zip(samples, shapes, strict=True)):
        return None
    trusted = torch.zeros(len(samples), *size, device=device)
    for sample, (height, width), whole in zip(samples, shapes, trusted, strict=True):
        image = whole[:height, :width]
        if 'trusted' not in sample:
            image.fill_(1)
        elif sample.trusted.data.shape[-2:] != image.shape:
            raise ValueError(
                f'{sample.metainfo.get("img_path")}: the map of trusted pixels is '
                f'{tuple(sample.trusted.data.shape[-2:])}, but the image {(height, width)} (H, W): the pipeline must '
                'resize and crop both in the same way'
            )
        else:
            image.copy_(sample.trusted.data[0])
    return trusted
