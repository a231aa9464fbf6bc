"""Self-training in rounds: label, train, label with the trained network, train again."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size

from mmuda.datasets import build_dataset, source_subset
from mmuda.files import write_json
from mmuda.labeling import Manifest
from mmuda.ranks import from_main
from mmuda.registry import STAGES

from .base import Stage
from .context import StageContext
from .label import LabelStage
from .references import rename
from .train import TrainStage

POLICIES = ('cumulative', 'random')
SOURCE_PORTION = dict(init=0.3, step=0.0025, max=0.06)
"""Schedule of the share of source images, as in the driver of the original implementation."""


def portion_schedule(init: float, step: float, maximum: float, rounds: int) -> list[float]:
    """Return the portion (share of pixels or images) of each round, as the original driver computes it.

    The step is added while the portion is *below* the maximum, so the last portion can exceed the maximum by almost one
    step. Portions are rounded to 12 significant digits, which affects ``floor(n * portion)``.

    Args:
        init: Portion of round 0.
        step: Value that is added after a round.
        maximum: Portion from which on nothing is added.
        rounds: Number of rounds.
    """
    portions, value = [], float(init)
    for _ in range(rounds):
        portions.append(float(f'{value:.12g}'))
        if value < maximum:
            value += step
    return portions


@STAGES.register_module(name=['RoundStage', 'SelfTrainingRound'])
class RoundStage(TrainStage):
    """Training of one round: on some source images with labels, and on all target images with pseudo labels.

    Args:
        name: See :class:`Stage`.
        overrides: See :class:`TrainStage`.
        weights: See :class:`TrainStage`.
        labels: ``'{stage}'`` of the labelling of this round.
        source_portion: Share of the source images that is used, a random subset.
        sample_seed: Seed of the subset. With the same seed, a larger share includes every smaller one.
        epochs: Passes over the union of both domains.
        lr_factor: Factor of the learning rates of all optimizers.
    """

    def __init__(
        self,
        name: str,
        overrides: dict | None,
        weights: str,
        labels: str,
        source_portion: float,
        sample_seed: int,
        epochs: int,
        lr_factor: float,
    ) -> None:
        super().__init__(name, overrides, weights)
        self.labels, self.source_portion, self.sample_seed = labels, source_portion, sample_seed
        self.epochs, self.lr_factor = epochs, lr_factor

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return also the labels and the settings of the round."""
        settings = super().settings(ctx)
        settings['train_cfg'].pop('max_iters', None)  # computed from the number of images
        return dict(
            settings,
            labels=self.labels,
            source_portion=self.source_portion,
            sample_seed=self.sample_seed,
            epochs=self.epochs,
            lr_factor=self.lr_factor,
        )

    def prepare(self, ctx: StageContext, cfg: Config) -> None:
        """Draw the source images, and set the length of the round and its learning rates."""
        loader = cfg.train_dataloader
        if 'indices' in loader.dataset.source:
            raise ValueError(
                f'stage {self.name!r} chooses the source images itself: remove indices from the source data set, '
                'and list the images that you want in a file (ann_file)'
            )
        total = len(build_dataset(copy.deepcopy(loader.dataset.source)))
        num_source = int(total * self.source_portion)
        loader.dataset.source.indices = source_subset(self.sample_seed, total, num_source).tolist()
        num_target = len(Manifest.read(ctx.resolve(self.labels)).images)
        batch = loader.batch_size * get_world_size()
        iterations = (num_source + num_target) // batch
        if iterations == 0:
            raise ValueError(
                f'stage {self.name!r}: {num_source} source and {num_target} target images are fewer than a batch of '
                f'{batch}: raise the portions or lower train_dataloader.batch_size'
            )
        check_batch(ctx.folders[self.name], batch, self.name)
        loader.sampler.drop_to = batch
        cfg.train_cfg.max_iters = self.epochs * iterations
        cfg.train_cfg.val_interval = cfg.train_cfg.max_iters  # evaluate each round once, at its end
        for scheduler in cfg.param_scheduler or []:
            scheduler.setdefault('end', cfg.train_cfg.max_iters + 1)  # a scheduler without an end ends with the round
        for entry in cfg.optim_wrapper.values():
            if isinstance(entry, dict) and 'optimizer' in entry:
                entry['optimizer']['lr'] *= self.lr_factor


def check_batch(folder: Path, batch: int, name: str) -> None:
    """Check that a round continues with the batch size of its start: its number of iterations follows from it.

    All processes must call it.

    Args:
        folder: Folder of the round, which keeps the number in ``batch.json``.
        batch: Images in an iteration, of all processes together.
        name: Name of the stage.

    Raises:
        RuntimeError: If the round was started with another number.
    """
    path = folder / 'batch.json'
    begun = from_main(lambda: json.loads(path.read_text(encoding='utf-8')) if path.is_file() else batch)
    if begun != batch:
        raise RuntimeError(
            f'stage {name!r} was started with {begun} images in an iteration, now there are {batch} (batch size times '
            'processes): continue with the same batch size and number of processes, or run the round again with '
            f'--restart-from {name}'
        )
    from_main(lambda: write_json(path, batch))


@STAGES.register_module(name=['CBSTRounds', 'SelfTrainingRounds'])
class CBSTRounds(Stage):
    r"""Alternating optimisation of CBST (Zou et al., ECCV 2018, alg. 1), with one labelling and one training per round.

    In a run it is replaced by the stages ``<name>/0/label``, ``<name>/0/train``, ``<name>/1/label``, ... In ``label``
    and ``train``, ``'{label}'`` refers to the labelling of the same round. Every round trains from the weights of the
    previous round, with a new optimizer and the learning rate :math:`\eta_r = \eta_0 \cdot \texttt{lr\_decay}^r`. It is
    evaluated at its end. A scheduler in ``train.param_scheduler`` without ``end`` ends with the round (the paper has
    none: the learning rate is constant in a round).

    Args:
        name: See :class:`Stage`.
        weights: Initial weights of round 0: ``'{stage}'`` of an earlier training, or a checkpoint file.
        label: Arguments of :class:`LabelStage` without ``name`` and ``weights``.
        train: ``overrides`` of :class:`TrainStage` for the trainings.
        num_rounds: Number of rounds R.
        epochs_per_round: Passes over the union of both domains in a round.
        target_portion: ``dict(init=, step=, max=)`` of the share of pixels to label, see :func:`portion_schedule`. It
            sets ``strategy.portion`` of each round; None keeps the strategy as it is in ``label``.
        source_portion: The same for the share of source images; default: :data:`SOURCE_PORTION`.
        sample_policy: ``'cumulative'``: the source images of a round include those of the previous round.
            ``'random'``: each round draws its images independently.
        sample_seed: Seed of the cumulative draw. The random policy uses the number of the round.
        lr_decay: Factor of the learning rate from one round to the next.

    Raises:
        ValueError: If the policy is unknown, or a portion is not above 0 and at most 1.
    """

    weights: str
    ARGUMENTS_OF = dict(label=LabelStage)

    def __init__(
        self,
        name: str,
        weights: str,
        label: dict,
        train: dict,
        num_rounds: int,
        epochs_per_round: int = 2,
        target_portion: Mapping[str, float] | None = None,
        source_portion: Mapping[str, float] | None = None,
        sample_policy: str = 'cumulative',
        sample_seed: int = 0,
        lr_decay: float = 2**-0.5,
    ) -> None:
        super().__init__(name)
        if sample_policy not in POLICIES:
            raise ValueError(f'stage {name!r}: sample_policy is {sample_policy!r}, expected one of {POLICIES}')
        self.weights, self.label, self.train = weights, label, train
        self.num_rounds, self.epochs, self.lr_decay = num_rounds, epochs_per_round, lr_decay
        self.seeds = [sample_seed if sample_policy == 'cumulative' else r for r in range(num_rounds)]
        self.source_portions = _portions(name, 'source', source_portion or SOURCE_PORTION, num_rounds)
        self.target_portions = None if target_portion is None else _portions(name, 'target', target_portion, num_rounds)

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Raise RuntimeError: only the stages of the rounds have settings."""
        raise RuntimeError(f'stage {self.name!r} is replaced by other stages: use the stages that expand() returns')

    def execute(self, ctx: StageContext, folder: Path, resume: bool) -> dict[str, Any]:
        """Raise RuntimeError: only the stages of the rounds are executed."""
        raise RuntimeError(f'stage {self.name!r} is replaced by other stages: use the stages that expand() returns')

    def expand(self) -> list[Stage]:
        """Return two stages for each round."""
        stages: list[Stage] = []
        weights = self.weights
        for r in range(self.num_rounds):
            own = dict(label=f'{self.name}/{r}/label', train=f'{self.name}/{r}/train')
            label, train = rename(copy.deepcopy(self.label), own), rename(copy.deepcopy(self.train), own)
            if self.target_portions is not None:
                label['strategy'] = dict(label['strategy'], portion=self.target_portions[r])
            stages.append(LabelStage(own['label'], weights=weights, **label))
            stages.append(
                RoundStage(
                    own['train'],
                    train,
                    weights,
                    labels=f'{{{own["label"]}}}',
                    source_portion=self.source_portions[r],
                    sample_seed=self.seeds[r],
                    epochs=self.epochs,
                    lr_factor=self.lr_decay**r,
                )
            )
            weights = f'{{{own["train"]}}}'
        return stages


def _portions(stage: str, domain: str, schedule: Mapping[str, float], rounds: int) -> list[float]:
    """Check the schedule of a domain, and return its portions by round."""
    if set(schedule) != {'init', 'step', 'max'}:
        raise ValueError(f'stage {stage!r}: {domain}_portion needs init, step and max, but has {sorted(schedule)}')
    portions = portion_schedule(schedule['init'], schedule['step'], schedule['max'], rounds)
    if not all(0 < portion <= 1 for portion in portions):
        raise ValueError(
            f'stage {stage!r}: {domain}_portion runs through {portions}, but each must be above 0 and at most 1 (the '
            'step is added while below max, so the last one can exceed max)'
        )
    return portions
