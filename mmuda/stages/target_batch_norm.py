"""The stage that estimates batch-norm statistics of the target domain after a training."""

import shutil
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmuda.engine.probabilities import inference_dataset
from mmuda.engine.target_batch_norm import is_sample, write_target_batch_norm
from mmuda.ranks import from_main
from mmuda.registry import STAGES

from .base import Stage
from .context import StageContext

CHECKPOINT = 'target_bn.pth'


@STAGES.register_module()
class TargetBatchNorm(Stage):
    """Stage that estimates the batch-norm statistics of a trained network again, on unlabelled target images alone.

    The result, ``target_bn.pth``, is a checkpoint of the same network in which only these statistics differ. Later
    stages use it as ``weights='{name}'``. See :func:`mmuda.engine.batch_norm_estimation.estimate_batch_norm` for the
    statistics (Li et al., arXiv:1603.04779) and their cost. The processes share the images. After an interruption each
    continues from its last snapshot.

    Args:
        name: See :class:`Stage`.
        weights: Trained network: ``'{stage}'`` of an earlier training, or a checkpoint file.
        dataset: Config of the images; by default the target images of the config, read with the test pipeline of the
            network.
        batch_size: Images in one forward pass. If there are several, they must have the same size.
        sample: Number of images, evenly spaced in the data set, that represent all images in one batch. This takes one
            pass instead of one pass for each layer, if the network gets images whole, without windows. None uses all
            images.
        num_workers: Processes that read images.
        snapshot_every: Seconds between two snapshots.

    Raises:
        ValueError: If ``sample`` is below 2.
        NothingToEstimateError: When the stage is executed, if the network has no batch-norm layer with statistics that
            the training changed.
    """

    weights: str

    def __init__(
        self,
        name: str,
        weights: str,
        dataset: dict | None = None,
        batch_size: int = 1,
        num_workers: int = 0,
        snapshot_every: float = 30.0,
        sample: int | None = None,
    ) -> None:
        super().__init__(name)
        if not is_sample(sample):
            raise ValueError(f'stage {name!r}: sample={sample!r}, expected a number of images above 1, or None for all')
        self.weights, self.dataset, self.sample = weights, dataset, sample
        self.options: dict[str, Any] = dict(
            batch_size=batch_size, num_workers=num_workers, snapshot_every=snapshot_every
        )

    def config(self, ctx: StageContext) -> Config:
        """Return the config of the network."""
        return ctx.network_config(self.weights)

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return the weights, the model, the data set and the size of the sample."""
        decisive = dict(weights=self.weights, model=self.config(ctx).model, dataset=self._dataset(ctx))
        return decisive if self.sample is None else dict(decisive, sample=self.sample)

    def execute(self, ctx: StageContext, folder: Path, resume: bool) -> dict[str, Any]:
        """Estimate the statistics, or continue to estimate them."""
        if not resume:
            from_main(lambda: _empty(folder))
        images = ctx.resolve(self._dataset(ctx))
        files = ctx.checkpoint(self.weights), folder / CHECKPOINT
        facts = write_target_batch_norm(self.config(ctx), images, *files, sample=self.sample, **self.options)
        return dict(checkpoint=CHECKPOINT, images=facts['images'])

    def _dataset(self, ctx: StageContext) -> dict:
        if self.dataset is not None:
            return self.dataset
        return target_images(ctx.base_config(), self.config(ctx))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def target_images(cfg: Config, network: Config) -> dict:
    """Return the config of the unlabelled target images of a run, with the test pipeline of a network.

    Args:
        cfg: Config of the run; ``train_dataloader.dataset.target`` is the data set.
        network: Config of the network; ``test_dataloader`` has the pipeline.

    Raises:
        KeyError: If the run has no target images.
    """
    dataset = cfg.get('train_dataloader', {}).get('dataset', {})
    if dataset.get('target') is None:
        raise KeyError(
            f'{cfg.filename} has no target images in train_dataloader.dataset.target, but a '
            f'{dataset.get("type")}: batch-norm statistics of the target need them'
        )
    return inference_dataset(cfg, network.test_dataloader.dataset.pipeline)
