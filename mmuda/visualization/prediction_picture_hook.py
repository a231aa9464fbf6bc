"""PredictionPictureHook: pictures of predictions, written during a test."""

from collections.abc import Sequence
from pathlib import Path

import cv2
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from mmuda.files import write_atomically

from .predictions import sample_panel


@HOOKS.register_module()
class PredictionPictureHook(Hook):
    """Hook that writes one picture for each tested image: image, ground truth (if any), prediction and entropy.

    Args:
        out_dir: Folder of the pictures. Each has the name of its image, ``<image name>.png``.
    """

    def __init__(self, out_dir: str) -> None:
        self.out_dir = Path(out_dir)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[SegDataSample] | None = None,
    ) -> None:
        """Write the pictures of a batch."""
        palette = runner.test_loop.dataloader.dataset.metainfo['palette']
        for sample in outputs or ():
            picture = cv2.cvtColor(sample_panel(sample, palette), cv2.COLOR_RGB2BGR)
            path = self.out_dir / f'{Path(sample.img_path).stem}.png'
            write_atomically(path, cv2.imencode('.png', picture)[1].tobytes())
