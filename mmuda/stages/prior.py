"""The stage that estimates a spatial prior from source labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce

from mmuda.datasets import build_dataset
from mmuda.labeling import count_classes, prior_of_counts, save_prior
from mmuda.progress import progress
from mmuda.ranks import from_main, own_share
from mmuda.registry import STAGES

from .base import Stage
from .context import StageContext


@STAGES.register_module()
class PriorStage(Stage):
    """Stage that writes ``prior.npz``, the spatial prior of CBST-SP (Zou et al., ECCV 2018, section 4.3).

    The prior is computed from the source labels, see :func:`estimate_prior`.

    Args:
        name: See :class:`Stage`.
        size: (H, W) of the prior; labels are resized to it.
        kernel: Width of the Gaussian kernel, in pixels of ``size``.
        dataset: Config of the labelled images; by default the source of the config, of which only labels are read.
    """

    FILES = ('prior.npz',)

    def __init__(self, name: str, size: Sequence[int], kernel: int = 70, dataset: dict | None = None) -> None:
        super().__init__(name)
        height, width = size
        self.size, self.kernel, self.dataset = (height, width), kernel, dataset

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return the data set of the labels, the size and the kernel."""
        return dict(size=self.size, kernel=self.kernel, dataset=self._dataset(ctx))

    def execute(self, ctx: StageContext, folder: Path, resume: bool) -> dict[str, Any]:
        """Read all source labels, each process its share. After an interruption, start from the beginning."""
        dataset = build_dataset(self._dataset(ctx))
        own = own_share(len(dataset))
        labels = (dataset[i]['gt_seg_map'] for i in progress(own, len(own), 'prior', 'labels'))
        counts = torch.from_numpy(count_classes(labels, len(dataset.metainfo['classes']), self.size))
        all_reduce(counts)
        from_main(lambda: save_prior(folder / 'prior.npz', prior_of_counts(counts.numpy(), self.kernel)))
        return dict(labels=len(dataset))

    def _dataset(self, ctx: StageContext) -> dict:
        if self.dataset is not None:
            return self.dataset
        source = ctx.base_config().train_dataloader.dataset.source
        return dict(source, pipeline=[step for step in source.pipeline if 'Annotations' in step['type']])
