"""The stage that collects class statistics of source features before an adaptation."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmseg.registry import MODELS
from torch import nn
from torch.utils.data import DataLoader, Subset

from mmuda.checkpoints.loading import load_weights
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.datasets import build_dataset
from mmuda.files import save_torch
from mmuda.labeling.passes import ResumablePass
from mmuda.models.memories.class_statistics import ClassStatistics
from mmuda.ranks import from_main, own_share
from mmuda.registry import STAGES

from .base import Stage
from .context import StageContext
from .train import overridden

CHECKPOINT = 'statistics.pth'


@STAGES.register_module()
class StatisticsStage(Stage):
    """Stage that collects the initial class distributions of an adaptation in one pass over the source.

    This is SDCA's warm start. The network is in eval mode and is not changed. The result, ``statistics.pth``, is a
    checkpoint of the model of the adaptation that includes the statistics. The adaptation starts from it with
    ``weights='{name}'``. The processes share the images. After an interruption each continues from its last snapshot.

    Args:
        name: See :class:`Stage`.
        weights: Trained network: ``'{stage}'`` of an earlier training, or a checkpoint file.
        overrides: Changes to the config that make it the config of the adaptation. Its model must have a method
            ``gather(batch)``, which adds a batch to the statistics.
        model: Deprecated: name of a later training stage whose overrides are used instead.
        dataset: Config of the labelled images; by default the source with which the network was trained. Its pipeline
            should not augment.
        batch_size: Images in one forward pass. If there are several, they must have the same size.
        num_workers: Processes that read images.
        snapshot_every: Seconds between two snapshots.

    Raises:
        ValueError: If both ``overrides`` and ``model`` are given, or neither. When the stage is executed: if the model
            has no method ``gather``.
    """

    weights: str

    def __init__(
        self,
        name: str,
        weights: str,
        overrides: dict | None = None,
        model: str | None = None,
        dataset: dict | None = None,
        batch_size: int = 1,
        num_workers: int = 0,
        snapshot_every: float = 30.0,
    ) -> None:
        super().__init__(name)
        if (overrides is None) == (model is None):
            raise ValueError(
                f'stage {name!r}: give overrides, those of the training that uses the statistics, and no model'
            )
        if model is not None:
            warnings.warn(
                f'stage {name!r}: model={model!r} is deprecated: write the overrides of the stage {model!r} as '
                'overrides=dict(...) here, too',
                FutureWarning,
                stacklevel=2,
            )
        self.weights, self.overrides, self.model, self.dataset = weights, overrides, model, dataset
        self.batch_size, self.num_workers, self.snapshot_every = batch_size, num_workers, snapshot_every

    def config(self, ctx: StageContext) -> Config:
        """Return the config of the adaptation that uses the statistics."""
        if self.model is not None:
            return ctx.stages[self.model].config(ctx)
        return overridden(ctx, self.overrides or {})

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return the weights, the model and the data set."""
        return dict(weights=self.weights, model=self.config(ctx).model, dataset=self._dataset(ctx))

    def execute(self, ctx: StageContext, folder: Path, resume: bool) -> dict[str, Any]:
        """Collect the statistics, or continue to collect them."""
        model = self._load(ctx)
        statistics = [module for module in model.modules() if isinstance(module, ClassStatistics)]
        reduce = [part.reduce for part in statistics]
        for part in statistics:
            part.reset()  # the checkpoint of the weights can contain older statistics
            part.reduce = False  # processes can have different numbers of batches, so merge only once, at the end
        dataset = build_dataset(ctx.resolve(self._dataset(ctx)))
        own = own_share(len(dataset))
        batches = [own[start : start + self.batch_size] for start in range(0, len(own), self.batch_size)]

        def load(left: Sequence[range]) -> Iterator[dict]:
            indices = [index for batch in left for index in batch]
            yield from DataLoader(
                Subset(dataset, indices),
                batch_size=self.batch_size,
                num_workers=self.num_workers,
                collate_fn=pseudo_collate,
            )

        one_pass = ResumablePass(folder, batches, 'statistics', self.snapshot_every, 'batches')
        if not resume:
            one_pass.snapshot.unlink(missing_ok=True)
        one_pass.run(load, _Gathering(model, statistics))
        for part, was in zip(statistics, reduce, strict=True):
            part.merge_processes()
            part.reduce = was
        from_main(lambda: _save(model, folder / CHECKPOINT))
        one_pass.snapshot.unlink(missing_ok=True)
        return dict(checkpoint=CHECKPOINT, images=len(dataset))

    def _load(self, ctx: StageContext) -> nn.Module:
        model = MODELS.build(self.config(ctx).model)
        if not hasattr(model, 'gather'):
            raise ValueError(
                f'stage {self.name!r}: its model, a {type(model).__name__}, gathers no statistics: it needs a method '
                'gather(batch), choose such a model in overrides'
            )
        checkpoint = ctx.checkpoint(self.weights)
        load_weights(model, read_checkpoint(checkpoint), str(checkpoint))
        return model.to(get_device()).eval()

    def _dataset(self, ctx: StageContext) -> dict:
        if self.dataset is not None:
            return self.dataset
        return ctx.network_config(self.weights).train_dataloader.dataset.source


def _save(model: nn.Module, path: Path) -> None:
    save_torch(path, dict(state_dict={key: value.cpu() for key, value in model.state_dict().items()}))


class _Gathering:
    """State of the pass: the class statistics of a model."""

    def __init__(self, model: Any, statistics: list[ClassStatistics]) -> None:
        self.model, self.statistics = model, statistics

    def add(self, place: range, batch: dict) -> None:
        self.model.gather(self.model.data_preprocessor(dict(source=batch), training=False)['source'])

    def state(self) -> dict[str, Any]:
        return dict(statistics=[part.state_dict() for part in self.statistics])

    def load_state(self, state: dict[str, Any]) -> None:
        for part, stored in zip(self.statistics, state['statistics'], strict=True):
            part.load_state_dict(stored)
