"""Statistics of source features before an adaptation, as a stage."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.dist import barrier, get_dist_info, is_main_process
from mmseg.registry import MODELS, TASK_UTILS
from torch import nn
from torch.utils.data import DataLoader, Subset

from mmuda.checkpoints.loading import load_weights
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.datasets import build_dataset
from mmuda.files import write_atomically
from mmuda.models.memories.class_statistics import ClassStatistics
from mmuda.progress import progress
from mmuda.ranks import own_share

from .base import Stage
from .context import StagedRun
from .references import resolve

CHECKPOINT = 'statistics.pth'


@TASK_UTILS.register_module()
class StatisticsStage(Stage):
    """Gather the class distributions that an adaptation starts with, in one pass over the source (SDCA's warm start).

    The network is in eval mode and is not changed. The result, ``statistics.pth``, is a checkpoint of the model that is
    adapted next, with its statistics: that stage names this one in its ``weights``. Each process takes its share of the
    images; killed, it goes on with the image after the last snapshot.

    Args:
        name: See :class:`Stage`.
        weights: The trained network: an earlier training stage, or a checkpoint file.
        model: The training stage whose model gathers; it needs a method ``gather(batch)``.
        dataset: Config of the labelled images; by default the source that the network was trained with. It should not
            augment.
        batch_size: Images for one forward pass, which must have one size if there are several.
        num_workers: Processes that read images.
        snapshot_every: Batches between two snapshots.
    """

    def __init__(
        self,
        name: str,
        weights: str,
        model: str,
        dataset: dict | None = None,
        batch_size: int = 1,
        num_workers: int = 0,
        snapshot_every: int = 500,
    ) -> None:
        super().__init__(name)
        self.weights, self.model, self.dataset = weights, model, dataset
        self.batch_size, self.num_workers, self.snapshot_every = batch_size, num_workers, snapshot_every

    def config(self, run: StagedRun) -> Config:
        """The config of the training that goes on from here."""
        return run.stage(self.model).config(run)

    def settings(self, run: StagedRun) -> dict[str, Any]:
        """Network and images."""
        return dict(weights=self.weights, model=self.config(run).model, dataset=self._dataset(run))

    def needs(self, run: StagedRun) -> set[str]:
        return super().needs(run) | run.named({self.weights})

    def files(self, run: StagedRun) -> set[str]:
        return set() if self.weights in run.folders else {self.weights}

    def run(self, run: StagedRun, folder: Path, resume: bool) -> dict[str, Any]:
        """Gather, or go on gathering."""
        model = MODELS.build(self.config(run).model)
        checkpoint = run.checkpoint(self.weights)
        load_weights(model, read_checkpoint(checkpoint), str(checkpoint))
        if not hasattr(model, 'gather'):
            raise ValueError(
                f'stage {self.name!r}: {type(model).__name__}, the model of stage {self.model!r}, gathers no statistics'
            )
        model = model.to(get_device()).eval()
        statistics = [module for module in model.modules() if isinstance(module, ClassStatistics)]
        for part in statistics:
            part.reset()  # the weights may come with statistics of their own
        dataset = build_dataset(resolve(self._dataset(run), run.folders))
        rank, world_size = get_dist_info()
        own = own_share(len(dataset))
        snapshot = folder / f'snapshot_{rank}_of_{world_size}.pth'
        done = _restore(snapshot, statistics) if resume else 0
        reduce = [part.reduce for part in statistics]
        for part in statistics:
            part.reduce = False  # shares may differ in length: they are put together at the end
        loader = DataLoader(
            Subset(dataset, own[done:]),
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            collate_fn=pseudo_collate,
        )
        for number, batch in enumerate(progress(loader, len(loader), 'statistics'), 1):
            model.gather(model.data_preprocessor(dict(source=batch), training=False)['source'])
            if number % self.snapshot_every == 0:
                _snapshot(snapshot, statistics, done + number * self.batch_size)
        for part, was in zip(statistics, reduce, strict=True):
            part.merge_processes()
            part.reduce = was
        if is_main_process():
            _save(folder / CHECKPOINT, dict(state_dict={key: value.cpu() for key, value in model.state_dict().items()}))
        barrier()
        snapshot.unlink(missing_ok=True)
        return dict(checkpoint=CHECKPOINT, images=len(dataset))

    def _dataset(self, run: StagedRun) -> dict:
        if self.dataset is not None:
            return self.dataset
        return run.network_config(self.weights).train_dataloader.dataset.source


def _save(path: Path, content: dict) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def _snapshot(path: Path, statistics: Sequence[nn.Module], done: int) -> None:
    _save(path, dict(done=done, statistics=[part.state_dict() for part in statistics]))


def _restore(path: Path, statistics: list[nn.Module]) -> int:
    """How many images the snapshot holds; 0 if there is none (another number of processes begins anew)."""
    if not path.is_file():
        return 0
    content = read_checkpoint(path)
    for part, state in zip(statistics, content['statistics'], strict=True):
        part.load_state_dict(state)
    return content['done']
