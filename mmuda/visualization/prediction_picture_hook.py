"""Pictures of what a trained network says."""

from pathlib import Path

import cv2
import numpy as np
from mmengine.hooks import Hook
from mmseg.registry import HOOKS

from mmuda.files import write_atomically

from .pictures import colorize, entropy_map, heat, panel


@HOOKS.register_module()
class PredictionPictureHook(Hook):
    """Writes one panel for each tested image: image, ground truth (if any), prediction and entropy.

    Args:
        out_dir: Folder of the pictures, named after the images.
    """

    def __init__(self, out_dir: str) -> None:
        self.out_dir = Path(out_dir)

    def after_test_iter(self, runner, batch_idx: int, data_batch: dict | None = None, outputs=None) -> None:
        """Write the panels of a batch."""
        palette = runner.test_loop.dataloader.dataset.metainfo['palette']
        for sample in outputs:
            path = self.out_dir / f'{Path(sample.img_path).stem}.png'
            write_atomically(path, cv2.imencode('.png', sample_panel(sample, palette)[:, :, ::-1])[1].tobytes())


def sample_panel(sample, palette) -> np.ndarray:
    """One row of pictures (H, W, 3) uint8 RGB for a predicted data sample."""
    pictures = {'image': cv2.imread(sample.img_path)[:, :, ::-1]}
    if 'gt_sem_seg' in sample:
        pictures['ground truth'] = colorize(_plane(sample.gt_sem_seg), palette)
    pictures['prediction'] = colorize(_plane(sample.pred_sem_seg), palette)
    pictures['entropy'] = heat(entropy_map(sample.seg_logits.data))
    return panel(pictures, columns=len(pictures))


def _plane(field) -> np.ndarray:
    return field.data.squeeze(0).cpu().numpy().astype(np.uint8)
