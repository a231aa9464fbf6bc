"""Self-training of FDA: train several networks, label with their mean, and train them again."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmuda.registry import STAGES
from mmuda.stages import Stage, TrainStage
from mmuda.stages.context import StageContext
from mmuda.stages.references import rename

from .labels import BandLabelStage


@STAGES.register_module()
class BandRounds(Stage):
    """Rounds of training a network for each window size, and of labelling with their mean.

    Expands to the stages ``<name>/0/<beta>`` for each beta, ``<name>/0/label``, ``<name>/1/<beta>``, ... The trainings
    of round 0 have no pseudo labels; those of round r have the labels of round r - 1. Every network starts from the
    weights of the config, in every round (Yang and Soatto, "FDA", CVPR 2020, section 3.3). ``tools/test.py CONFIG A.pth
    B.pth C.pth`` tests the mean of the networks of the last round.

    Args:
        name: See :class:`Stage`.
        label: Arguments of :class:`BandLabelStage` without ``name`` and ``bands``.
        train: ``overrides`` of :class:`TrainStage` for the trainings with labels, in which ``'{label}'`` means the
            labelling of the round before.
        betas: Window sizes of :class:`StyledPairDataset`, one for each network.
        num_rounds: Number of labellings. 0 only trains the networks once. The best figures of the paper need 2.

    Raises:
        ValueError: If ``betas`` is empty or has a number twice.
    """

    def __init__(
        self, name: str, label: dict, train: dict, betas: Sequence[float] = (0.01, 0.05, 0.09), num_rounds: int = 2
    ) -> None:
        super().__init__(name)
        if not betas or len(set(betas)) < len(betas):
            raise ValueError(f'stage {name!r}: betas={list(betas)}, expected at least one number, and no number twice')
        self.label, self.train, self.betas, self.num_rounds = label, train, list(betas), num_rounds

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Raise RuntimeError: only the stages of the rounds have settings."""
        raise RuntimeError(f'stage {self.name!r} stands for other stages, see expand')

    def execute(self, ctx: StageContext, folder: Path, resume: bool) -> dict[str, Any]:
        """Raise RuntimeError: only the stages of the rounds are executed."""
        raise RuntimeError(f'stage {self.name!r} stands for other stages, see expand')

    def expand(self) -> list[Stage]:
        """Return the trainings of each round and the labellings between them."""
        stages: list[Stage] = []
        overrides: dict = {}
        for r in range(self.num_rounds + 1):
            trainings = [TrainStage(f'{self.name}/{r}/{beta}', _with_beta(overrides, beta)) for beta in self.betas]
            stages += trainings
            if r < self.num_rounds:
                labels = f'{self.name}/{r}/label'
                bands = [f'{{{training.name}}}' for training in trainings]
                stages.append(BandLabelStage(labels, bands, **copy.deepcopy(self.label)))
                overrides = rename(copy.deepcopy(self.train), dict(label=labels))
        return stages


def _with_beta(overrides: dict, beta: float) -> dict:
    """Return a copy of the overrides of a training that set the size of the window."""
    found = copy.deepcopy(overrides)
    found.setdefault('train_dataloader', {}).setdefault('dataset', {})['beta'] = beta
    return found
