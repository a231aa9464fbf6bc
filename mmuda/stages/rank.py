"""The stage that ranks images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmuda.labeling import rank_images
from mmuda.labeling.ranking import RARE_CLASSES
from mmuda.registry import STAGES

from .context import StageContext
from .inference import InferenceStage


@STAGES.register_module()
class RankStage(InferenceStage):
    """Stage that sorts images by the entropy of their predictions and splits them (IntraDA, Pan et al., CVPR 2020).

    It follows section 3.2 of the paper, and writes ``easy.txt`` and ``hard.txt``, one image path per line, and
    ``scores.json``.

    Args:
        name: See :class:`Stage`.
        weights: See :class:`InferenceStage`.
        easy: Share of the images that is easy: the paper's lambda.
        normalize: Multiply each entropy by a factor that is smaller for predictions with more rare classes.
        rare_classes: Names of the rare classes. Names that the data set does not have are ignored.
        **kwargs: Arguments of :class:`InferenceStage`.
    """

    FILES = ('easy.txt', 'hard.txt', 'scores.json')

    def __init__(
        self,
        name: str,
        weights: str,
        easy: float = 0.67,
        normalize: bool = False,
        rare_classes: Sequence[str] = RARE_CLASSES,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, weights, **kwargs)
        self.easy, self.normalize, self.rare_classes = easy, normalize, rare_classes

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return also the share of easy images and the rare classes."""
        rare = self.rare_classes if self.normalize else None
        return dict(super().settings(ctx), easy=self.easy, rare_classes=rare)

    def execute(self, ctx: StageContext, folder: Path, resume: bool) -> dict[str, Any]:
        """Rank, or continue ranking."""
        images = self.load_images(ctx)
        rare = None
        if self.normalize:
            classes = list(images.classes)
            rare = [classes.index(name) for name in self.rare_classes if name in classes]
        ranking = rank_images(
            images.paths, self.probabilities(ctx, images), folder, self.easy, rare_classes=rare, facts=self.facts(ctx)
        )
        return dict(easy=len(ranking.easy), hard=len(ranking.hard))
