"""Where classes are in source images, as a stage."""
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Sequence

import numpy as np
from mmengine.dist import barrier, is_main_process
from mmengine.utils import track_iter_progress
from mmseg.registry import TASK_UTILS

from mmuda.datasets import build_dataset
from mmuda.labeling import estimate_prior, save_prior

from .base import Stage
from .run import StagedRun


@TASK_UTILS.register_module()
class PriorStage(Stage):
    """Estimate the spatial prior of CBST-SP from source labels (Zou et al., ECCV 2018, section 4.3); writes ``prior.npz``.

    Args:
        name: See :class:`Stage`.
        size: (H, W) of the prior; labels are brought to it.
        kernel: Side of the Gaussian kernel, in pixels of ``size``.
        dataset: Config of the labelled images; by default the source of the config, images not read.
    """

    def __init__(self, name: str, size: Sequence[int], kernel: int = 70, dataset: Optional[dict] = None) -> None:
        super().__init__(name)
        self.size, self.kernel, self.dataset = tuple(size), kernel, dataset

    def settings(self, run: StagedRun) -> Dict[str, Any]:
        """Labels, size and smoothing."""
        return dict(size=self.size, kernel=self.kernel, dataset=self._dataset(run))

    def run(self, run: StagedRun, folder: Path, resume: bool) -> Dict[str, Any]:
        """Estimate; the work of seconds to minutes, done by one process."""
        target = folder / 'prior.npz'
        if is_main_process() and not target.is_file():
            dataset = build_dataset(self._dataset(run))

            def labels() -> Iterator[np.ndarray]:
                for i in track_iter_progress(range(len(dataset)), file=sys.stderr):
                    yield dataset[i]['gt_seg_map']

            prior = estimate_prior(labels(), len(dataset.metainfo['classes']), self.size, self.kernel)
            save_prior(target, prior)
        barrier()
        return {}

    def _dataset(self, run: StagedRun) -> dict:
        if self.dataset is not None:
            return self.dataset
        source = run.base_config().train_dataloader.dataset.source
        return dict(source, pipeline=[step for step in source.pipeline if 'Annotations' in step['type']])
