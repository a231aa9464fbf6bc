"""Pseudo labels of a teacher for the images of a training batch, and how much they are trusted."""

from typing import NamedTuple

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

WEIGHTS = ('share', 'pixel', 'one')


class PseudoLabels(NamedTuple):
    """Labels that a network predicts, with a weight for each pixel.

    Attributes:
        labels: (N, H, W) int64.
        weight: (N, H, W) float32.
        share: Share of confident pixels in the whole batch, a scalar.
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
        weight: ``'share'``: every pixel has the share of confident pixels in the batch (DACS and its descendants).
            ``'pixel'``: confident pixels have weight 1, others 0. ``'one'``: all have weight 1.

    Raises:
        ValueError: For an unknown ``weight``.
    """
    if weight not in WEIGHTS:
        raise ValueError(f'pseudo label weight {weight!r}, expected one of {WEIGHTS}')
    largest, labels = logits.float().max(dim=1)
    # The largest of softmax(logits); a map of all probabilities is not needed beside that of the exponentials.
    confident = 1 / (logits.float() - largest[:, None]).exp_().sum(dim=1) >= threshold
    share = (confident.sum(dtype=torch.float64) / confident.numel()).float()
    if weight == 'pixel':
        return PseudoLabels(labels, confident.float(), share)
    return PseudoLabels(labels, (share if weight == 'share' else torch.ones_like(share)).expand(labels.shape), share)


def trust(samples: list[SegDataSample], size: tuple[int, int], device: torch.device) -> Tensor | None:
    """Return where images may have a pseudo label, as their data set says: (N, H, W) float32, 1 or 0.

    Each sample may state two things that belong to its data set. ``untrusted_rows`` in its meta information is a pair,
    the number of rows at the top and at the bottom of the network's input that show the border of a rectified image or
    the own car. ``trusted`` is a map (1, H, W) that went through the pipeline with the image, 1 where a label may be
    trusted. Padding that the preprocessor added is not trusted.

    Args:
        samples: One for each image.
        size: (H, W) of the network's input.
        device: Where the result is needed.

    Returns:
        None if all pixels of all images are trusted.

    Raises:
        ValueError: If a map does not have the size of the input.
    """
    found = [_trust_of(sample, size, device) for sample in samples]
    if all(one is None for one in found):
        return None
    return torch.stack([torch.ones(size, device=device) if one is None else one for one in found])


def _trust_of(sample: SegDataSample, size: tuple[int, int], device: torch.device) -> Tensor | None:
    top, bottom = sample.metainfo.get('untrusted_rows', (0, 0))
    height, width = sample.metainfo.get('img_shape', size)[:2]  # without padding
    given = sample.get('trusted')
    if given is None and not (top or bottom or height < size[0] or width < size[1]):
        return None
    trusted = torch.ones(size, device=device)
    if given is not None:
        if tuple(given.data.shape[-2:]) != tuple(size):
            raise ValueError(
                f'{sample.metainfo.get("img_path")}: the map of trusted pixels is {tuple(given.data.shape[-2:])}, but '
                f'the image {tuple(size)} (H, W): let the pipeline resize and crop both alike'
            )
        trusted.copy_(given.data[0])
    trusted[:top] = 0
    trusted[max(0, height - bottom) :] = 0
    trusted[:, width:] = 0
    return trusted
