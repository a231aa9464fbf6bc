"""Predicted data samples as arrays and pictures."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmuda.datasets.image_files import read_image_bytes
from mmuda.datasets.image_pixels import picture_of

from .pictures import Palette, colorize, entropy_map, heat, panel
from .records import Sample


def sample_panel(sample: SegDataSample, palette: Palette) -> np.ndarray:
    """Return a picture with image, ground truth (if any), prediction and entropy side by side.

    Args:
        sample: Predicted sample with ``img_path``, ``pred_sem_seg`` (1, H, W), ``seg_logits`` (C, H, W) and optionally
            ``gt_sem_seg`` (1, H, W).
        palette: RGB colour of each class.

    Returns:
        (H', W', 3) uint8, RGB.
    """
    pictures = {'image': _read_rgb(sample.img_path)}
    if 'gt_sem_seg' in sample:
        pictures['ground truth'] = colorize(_label_map(sample.gt_sem_seg), palette)
    pictures['prediction'] = colorize(_label_map(sample.pred_sem_seg), palette)
    pictures['entropy'] = heat(entropy_map(sample.seg_logits.data))
    return panel(pictures, columns=len(pictures))


def collect_samples(predictions: Mapping[str, Iterable[SegDataSample]]) -> list[Sample]:
    """Return the predictions of several runs by image, for a report.

    Args:
        predictions: Data samples by name of the run, each with ``img_path``, ``gt_sem_seg`` and ``pred_sem_seg``
            (1, H, W) and ``seg_logits`` (C, H, W). Each iterable is read once, so it can be a generator.

    Returns:
        One sample for each image, in the order of first appearance.
    """
    found: dict[str, Sample] = {}
    for run, data_samples in predictions.items():
        for data in data_samples:
            path = data.img_path
            if path not in found:
                found[path] = Sample(Path(path).stem, _read_rgb(path), _label_map(data.gt_sem_seg), {}, {})
            found[path].predictions[run] = _label_map(data.pred_sem_seg)
            found[path].entropies[run] = entropy_map(data.seg_logits.data)
    return list(found.values())


def _read_rgb(path: str) -> np.ndarray:
    """Return the image of a file, (H, W, 3) uint8, RGB."""
    return picture_of(read_image_bytes(path), path)


def _label_map(field: PixelData) -> np.ndarray:
    """Return the label map of a data sample, (H, W) uint8 train ids."""
    return field.data.squeeze(0).cpu().numpy().astype(np.uint8)
