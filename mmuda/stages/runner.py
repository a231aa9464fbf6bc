"""A paper of several steps, run by one command."""

import copy
import time
from collections.abc import Sequence

from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS, init_default_scope
from mmseg.registry import TASK_UTILS
from terminaltables import AsciiTable

from mmuda.engine.distributed import join_processes
from mmuda.engine.launch import LIVE_KEYS
from mmuda.ranks import from_main

from .base import Stage
from .context import StagedRun
from .train import TrainStage


@RUNNERS.register_module()
class StagedRunner:
    """Runs the ``stages`` of a config one after the other; configs name it by ``runner_type='StagedRunner'``.

    ``stages`` is a list of names; each is a dict of the config, so a config that inherits changes one by its name
    (``rounds = dict(num_rounds=3)``). Dicts with a ``name`` may stand in the list as well. :class:`TrainStage` trains
    this very config with some keys changed, :class:`LabelStage` writes pseudo labels, :class:`RankStage` splits images,
    :class:`PriorStage` estimates where classes are, :class:`SelfTrainingRounds` stands for all rounds of CBST; plug-ins
    register their own in ``TASK_UTILS``. Each has a folder in ``work_dir``, and ``ledger.json`` there says which are
    done, with which settings and results. A stage takes weights, lists and labels from an earlier one by its name.

    With ``resume`` finished stages are skipped and the interrupted one goes on inside. Killed at any time and resumed,
    a run ends with the same weights and labels as one that was not (on a CPU, bit for bit). Without it a run starts
    anew, and what an earlier one left is moved into ``before_<time>``.

    Args:
        cfg: The whole config.

    Raises:
        ValueError: If stages have the same name, or one refers to a stage that does not come before it.
    """

    def __init__(self, cfg: Config) -> None:
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        self.cfg = cfg
        self.stages = build_stages(cfg)
        join_processes(cfg.get('launcher', 'none'), cfg.get('env_cfg', {}))
        self._join_ledger()
        if is_main_process():
            self.run.work_dir.mkdir(parents=True, exist_ok=True)
        barrier()
        self._log_here()
        self._check_references()

    @classmethod
    def from_cfg(cls, cfg) -> 'StagedRunner':
        """Build from a config."""
        return cls(copy.deepcopy(cfg))

    def train(self, only: Sequence[str] | None = None, restart_from: str | None = None) -> None:
        """Run all stages that are not done.

        Args:
            only: Run just these, by name or by the beginning of their names (``rounds/0``); what they take from other
                stages must be there.
            restart_from: Run this stage and all after it anew.

        Raises:
            RuntimeError: If a finished or interrupted stage had other settings, or results of another stage are
                missing.
            KeyError: If a stage is unknown.
        """
        resume = bool(self.cfg.get('resume')) or only is not None or restart_from is not None
        if not resume:
            self._forget(self.stages, 'an earlier run')
        elif restart_from is not None:
            first = self.stages.index(self._find(restart_from)[0])
            self._forget(self.stages[first:], f'{restart_from} and what came after it')
        wanted = (
            self.stages
            if only is None
            else [stage for stage in self.stages if stage in {found for name in only for found in self._find(name)}]
        )
        for stage in self.stages:  # a change is told before anything long starts
            if self.run.ledger.status(stage.name) is not None:
                self.run.ledger.check(stage.name, stage.settings(self.run), self.run.inputs(stage))
        for stage in wanted:
            self._run(stage)
        self._summary()

    def _run(self, stage: Stage) -> None:
        number = f'{self.stages.index(stage) + 1}/{len(self.stages)}'
        ledger, status = self.run.ledger, self.run.ledger.status(stage.name)
        folder = self.run.folders[stage.name]
        if status == 'done':
            if not folder.is_dir():
                raise RuntimeError(
                    f'stage {stage.name!r} is done, but its folder {folder} is gone: put it back, or run it and all '
                    f'after it again with --restart-from {stage.name}'
                )
            self.logger.info(f'stage {number} {stage.name}: done before')
            return
        missing = sorted(name for name in stage.needs(self.run) if ledger.status(name) != 'done')
        if missing:
            raise RuntimeError(
                f'stage {stage.name!r} needs results of {", ".join(missing)}: run them first (--stages '
                f'{",".join([*missing, stage.name])})'
            )
        self._log_here()  # what a stage says is in stages.log, and not in the log of the training before it
        self.logger.info(f'stage {number} {stage.name}: {"going on" if status else "starting"}')
        start = time.time()
        if is_main_process():
            if status is None:
                if folder.is_dir():  # of a run that the ledger does not know any more
                    self.run.set_aside([stage.name])
                ledger.begin(stage.name, stage.settings(self.run), self.run.inputs(stage))
            folder.mkdir(parents=True, exist_ok=True)
        barrier()
        result = stage.run(self.run, folder, resume=status == 'running')
        barrier()
        if is_main_process():
            ledger.finish(stage.name, result, time.time() - start)
        self._share_ledger()
        self.run.free_memory()
        self._log_here()
        self.logger.info(f'stage {number} {stage.name}: done in {time.time() - start:.0f} s')

    def _find(self, name: str) -> list[Stage]:
        found = [stage for stage in self.stages if stage.name == name or stage.name.startswith(name.rstrip('/') + '/')]
        if not found:
            raise KeyError(f'there is no stage {name!r}; there are {", ".join(stage.name for stage in self.stages)}')
        return found

    def _forget(self, stages: Sequence[Stage], what: str) -> None:
        names = [stage.name for stage in stages]
        if is_main_process() and any(self.run.ledger.status(name) or self.run.folders[name].is_dir() for name in names):
            self.run.ledger.forget(
                names
            )  # first: a folder without an entry is set aside later, an entry must have its folder
            folder = self.run.set_aside(names)
            self.logger.info(
                f'results of {what} were moved to {folder}' if folder else f'there was no folder of {what}'
            )
        self._share_ledger()

    def _log_here(self) -> None:
        """Make ``stages.log`` the current log; every training has its own."""
        self.logger = MMLogger.get_instance(
            f'stages-{time.time_ns()}',
            logger_name='mmengine',
            log_file=str(self.run.work_dir / 'stages.log'),
            file_mode='a',
            log_level=self.cfg.get('log_level', 'INFO'),
        )

    def _join_ledger(self) -> None:
        self.run = StagedRun(self.cfg, self.stages, self.cfg.work_dir, self.cfg.get('launcher', 'none'))
        self._share_ledger()

    def _share_ledger(self) -> None:
        """Rank 0 decides what is done."""
        self.run.ledger.entries = from_main(lambda: self.run.ledger.entries)

    def _check_references(self) -> None:
        before: list[str] = []
        for stage in self.stages:
            unknown = sorted(stage.needs(self.run) - set(before))
            if unknown:
                raise ValueError(
                    f'stage {stage.name!r} refers to {", ".join(unknown)}, which is no stage before it; '
                    f'those are {", ".join(before) or "none"}'
                )
            before.append(stage.name)

    def _summary(self) -> None:
        rows = [['stage', 'state', 'time', 'mIoU']]
        for stage in self.stages:
            entry = self.run.ledger.entries.get(stage.name, {})
            score = entry.get('result', {}).get('metrics', {}).get('mIoU')
            rows.append(
                [
                    stage.name,
                    entry.get('status', 'not run'),
                    f'{entry["seconds"]:.0f} s' if 'seconds' in entry else '',
                    '' if score is None else f'{score:.1f}',
                ]
            )
        self.logger.info('stages (mIoU: last checkpoint, validation images)\n' + AsciiTable(rows).table)


def build_stages(cfg: Config) -> list[Stage]:
    """The stages of a config; entries that stand for several are expanded.

    Raises:
        ValueError: If there are none, or one names nothing.
    """
    if not cfg.get('stages'):
        raise ValueError(
            f"runner_type='StagedRunner' needs stages = ['first', 'second', ...] in {cfg.filename}, names of "
            'dicts in it'
        )
    stages: list[Stage] = []
    for entry in cfg.stages:
        if isinstance(entry, str):
            if not isinstance(cfg.get(entry), dict) or entry in LIVE_KEYS:
                raise ValueError(
                    f'stages names {entry!r}, but {cfg.filename} has no {entry} = dict(type=...) of its own'
                )
            entry = dict(cfg[entry], name=entry)
        built = TASK_UTILS.build(copy.deepcopy(entry))
        stages.extend(built.expand() if hasattr(built, 'expand') else [built])
    return stages


def network_config(cfg: Config, stage: str | None = None) -> Config:
    """The plain config of the network that a config trains: of the last training stage if it has stages.

    Without its training, which needs results of other stages.

    Args:
        cfg: Any config.
        stage: Name of another training stage.

    Raises:
        KeyError: If there is no such training stage.
    """
    if cfg.get('runner_type') != 'StagedRunner':
        if stage is not None:
            raise KeyError(f'{cfg.filename} has no stages, but stage {stage!r} was asked for')
        return cfg
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    stages = build_stages(cfg)
    run = StagedRun(cfg, stages, cfg.work_dir)
    trainings = {found.name: found for found in stages if isinstance(found, TrainStage)}
    name = stage or next(reversed(trainings), None)
    if name not in trainings:
        raise KeyError(
            f'there is no training stage {name or ""!r} in {cfg.filename}; there are {", ".join(trainings) or "none"}'
        )
    found = trainings[name].config(run)
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
        found.pop(key, None)
    found.work_dir = cfg.work_dir
    return found
