"""The stage that writes pseudo labels."""

from functools import partial
from pathlib import Path
from typing import Any

from mmuda.engine.probabilities import AT
from mmuda.labeling import ThresholdStrategy, label_images, load_prior, resize_prior
from mmuda.registry import LABEL_STRATEGIES, STAGES

from .context import StageContext
from .inference import InferenceStage, outside_files


@STAGES.register_module()
class LabelStage(InferenceStage):
    """Stage that writes pseudo labels for images; ``PseudoLabelDataset(labels='{name}')`` reads them.

    Args:
        name: See :class:`Stage`.
        weights: See :class:`InferenceStage`.
        strategy: Rule that decides which pixels get a label, such as ``dict(type='ClassBalanced', portion=0.2)``.
        prior: File of a spatial prior (.mat, .npz, .npy), such as ``'{prior}/prior.npz'``. It is resized to the size of
            the probabilities.
        thresholds_at: Resolution at which thresholds are computed; default: ``at``. SDCA computes them at ``'input'``
            and labels at ``'image'``.
        **kwargs: Arguments of :class:`InferenceStage`.

    Raises:
        ValueError: If the strategy cannot be built, or a resolution is unknown or does not fit the prior.
    """

    def __init__(
        self,
        name: str,
        weights: str,
        strategy: dict,
        prior: str | None = None,
        thresholds_at: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, weights, **kwargs)
        self.strategy, self.prior, self.thresholds_at = strategy, prior, thresholds_at
        if thresholds_at not in (None, *AT):
            raise ValueError(f'stage {name!r}: thresholds_at is {thresholds_at!r}, expected None or one of {AT}')
        if thresholds_at not in (None, self.at) and prior is not None:
            raise ValueError(f'stage {name!r}: a prior has one resolution, leave thresholds_at out')
        try:
            LABEL_STRATEGIES.build(dict(strategy))
        except ValueError as error:
            raise ValueError(f'stage {name!r}: {error}') from error

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return also the strategy, the prior and the resolution of the thresholds."""
        settings = dict(super().settings(ctx), strategy=self.strategy, prior=self.prior)
        if self.thresholds_at is not None:
            settings['thresholds_at'] = self.thresholds_at
        return settings

    def inputs(self, ctx: StageContext) -> set[str]:
        """Return also the file of the prior."""
        return super().inputs(ctx) | outside_files(self.prior)

    def execute(self, ctx: StageContext, folder: Path, resume: bool) -> dict[str, Any]:
        """Label, or continue labelling."""
        images = self.load_images(ctx)
        prior = None
        if self.prior is not None:
            prior = resize_prior(load_prior(ctx.resolve(self.prior)), images.size(self.at))
        strategy = LABEL_STRATEGIES.build(dict(self.strategy))
        twice = isinstance(strategy, ThresholdStrategy)
        folder.mkdir(parents=True, exist_ok=True)
        probabilities = self.probabilities(ctx, images, folder if twice else None)
        manifest = label_images(
            images.paths,
            probabilities,
            folder,
            strategy,
            images.classes,
            self.facts(ctx),
            prior=prior,
            for_statistics=partial(probabilities, at=self.thresholds_at or self.at),
            palette=images.palette,
        )
        return dict(images=len(manifest.images))
