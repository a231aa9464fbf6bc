"""The runner of configs with stages: all steps of a paper in one command."""

import copy
import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import barrier
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS, init_default_scope
from terminaltables import AsciiTable

from mmuda.checkpoints.latest import latest_checkpoint
from mmuda.engine.distributed import join_processes
from mmuda.engine.resuming import set_aside_earlier_run
from mmuda.engine.run_record import RunRecord, own_run
from mmuda.files import file_digest, move_aside
from mmuda.ranks import from_main

from .base import Stage
from .building import build_stages, check_references, make_context, needs
from .references import stage_of


@RUNNERS.register_module()
class StagedRunner:
    """Runner that executes the ``stages`` of a config in order. Configs select it by ``runner_type='StagedRunner'``.

    ``stages`` is a list of names. Each name is a dict in the config, so an inheriting config can change one stage by
    its name (``rounds = dict(num_rounds=3)``). The list can also contain dicts with a ``name``. :class:`TrainStage`
    trains this config with some keys changed, :class:`LabelStage` writes pseudo labels, :class:`RankStage` splits
    images, :class:`PriorStage` estimates a spatial prior, :class:`StatisticsStage` collects class statistics of the
    source, :class:`TargetBatchNorm` estimates batch-norm statistics of the target, and :class:`CBSTRounds` is replaced
    by the stages of all rounds of CBST. Plug-ins register their stages in :data:`mmuda.registry.STAGES`.

    Each stage has a folder in ``work_dir``. The ledger, ``ledger.json`` in ``work_dir``, records the settings and
    results of finished stages. A stage refers to weights, lists and labels of an earlier stage as ``'{name}'`` or
    ``'{name}/file'``.

    With ``resume``, finished stages are skipped and the interrupted one continues. A run that was killed at any time
    and resumed ends with the same weights and labels as an uninterrupted run (on a CPU, bit for bit). Without
    ``resume`` a run starts from the beginning, and the results of an earlier run are moved into ``before_<time>``.

    Args:
        cfg: The whole config.

    Raises:
        ValueError: If stages have the same name, or a stage refers to a stage that does not come before it.
    """

    def __init__(self, cfg: Config) -> None:
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        self.cfg = cfg
        self.stages = build_stages(cfg)
        launcher = cfg.get('launcher', 'none')
        join_processes(launcher, cfg.get('env_cfg', {}))
        self.ctx = make_context(cfg, self.stages, launcher)
        self._verified: set[str] = set()
        self._share_ledger()
        from_main(lambda: self.ctx.work_dir.mkdir(parents=True, exist_ok=True))
        self._log_here()
        check_references(self.stages, self.ctx)

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'StagedRunner':
        """Build a runner from a config."""
        return cls(copy.deepcopy(cfg))

    def train(self, only: Sequence[str] | None = None, restart_from: str | None = None) -> None:
        """Execute all stages that are not done.

        Args:
            only: Execute only these stages, by name or by the beginning of their names (``rounds/0``). The results of
                other stages that they need must exist.
            restart_from: Execute this stage and all later ones again.

        Raises:
            RuntimeError: If another run uses the work directory, a finished or interrupted stage had other settings, or
                results of a stage that others need are missing or were changed.
            KeyError: If a stage is unknown.
        """
        resume = bool(self.cfg.get('resume')) or only is not None or restart_from is not None
        with own_run(self.ctx.work_dir, resume):
            self._train(resume, only, restart_from)

    def _train(self, resume: bool, only: Sequence[str] | None, restart_from: str | None) -> None:
        from_main(lambda: self._leave_single_training(resume))
        self._take_ledger(resume)
        if not resume:
            self._forget_all(self.stages, 'an earlier run')
        from_main(self._belong_to_run)
        if restart_from is not None:
            first = self.stages.index(self._find(restart_from)[0])
            self._forget_all(self.stages[first:], f'{restart_from} and the stages after it')
        wanted = (
            self.stages
            if only is None
            else [stage for stage in self.stages if stage in {found for name in only for found in self._find(name)}]
        )
        for stage in self.stages:  # report changed settings before the first long stage
            if self.ctx.ledger.status(stage.name) is not None:
                self._check(stage)
        for stage in wanted:
            self._execute(stage)
        self._summary()

    def _leave_single_training(self, resume: bool) -> None:
        """Move checkpoints of a training without stages aside. No stage can continue from them: with resume, raise."""
        found = latest_checkpoint(self.ctx.work_dir)
        if found is not None and resume:
            raise RuntimeError(
                f'{found} comes from a training without stages, and this config has the stages '
                f'{", ".join(stage.name for stage in self.stages)}: choose another --work-dir, or omit --resume, '
                'which moves the results of that training aside'
            )
        if found is not None:
            set_aside_earlier_run(self.ctx.work_dir)

    def _take_ledger(self, resume: bool) -> None:
        """Read the ledger again: another run could write to it until now."""
        from_main(lambda: self._reload_ledger(resume))
        self._share_ledger()

    def _reload_ledger(self, resume: bool) -> None:
        """Read the ledger, and forget its stages if the interrupted run was started to replace them."""
        ledger, record = self.ctx.ledger, RunRecord(self.ctx.work_dir)
        ledger.reload()
        if resume and record.exists and ledger.entries and ledger.run != record.run:
            self.logger.warning(
                f'the stages in {self.ctx.work_dir} belong to an earlier run; the run that replaces it was stopped '
                'before its first stage, so it now starts from the beginning'
            )
            names = [stage.name for stage in self.stages]
            ledger.forget(names)
            move_aside(self.ctx.work_dir, names)

    def _belong_to_run(self) -> None:
        """Record the run in the ledger, after all stages of an earlier run were removed from it."""
        record = RunRecord(self.ctx.work_dir)
        if self.ctx.ledger.run != record.run:
            self.ctx.ledger.begin_run(record.run)
        record.settle()

    def _check(self, stage: Stage) -> None:
        """Compare the settings of a stage with those at its start."""
        ledger, settings = self.ctx.ledger, stage.settings(self.ctx)
        lines = ledger.check(stage.name, settings, self._inputs(stage), list(self.cfg.get('resume_allow') or []))
        if not lines:
            return
        running = ledger.status(stage.name) == 'running'
        told = '\n  '.join(lines)
        how = 'continues with other settings' if running else 'is done, and keeps its results of other settings'
        self.logger.warning(f'stage {stage.name!r} {how}:\n  {told}')
        if running:
            from_main(lambda: ledger.change(stage.name, settings, lines))

    def _verify(self, name: str) -> None:
        """Check that the files of a finished stage are unchanged, before another stage uses them.

        Raises:
            RuntimeError: If a file is missing or was changed.
        """
        if name in self._verified:
            return
        changed = from_main(lambda: self.ctx.ledger.changed_files(name, self.ctx.folders[name]))
        if changed:
            raise RuntimeError(
                f'stage {name!r} is done, but in {self.ctx.folders[name]} {", ".join(changed)}: restore the files, or '
                f'run this stage and all later ones again with --restart-from {name}'
            )
        self._verified.add(name)

    def _execute(self, stage: Stage) -> None:
        number = f'{self.stages.index(stage) + 1}/{len(self.stages)}'
        ledger, status = self.ctx.ledger, self.ctx.ledger.status(stage.name)
        folder = self.ctx.folders[stage.name]
        if status == 'done':
            if not folder.is_dir():
                raise RuntimeError(
                    f'stage {stage.name!r} is done, but its folder {folder} is gone: restore it, or run this stage and '
                    f'all later ones again with --restart-from {stage.name}'
                )
            self.logger.info(f'stage {number} {stage.name}: done before')
            return
        missing = [name for name in needs(stage, self.ctx) if ledger.status(name) != 'done']
        if missing:
            raise RuntimeError(
                f'stage {stage.name!r} needs results of {", ".join(missing)}: run them first (--stages '
                f'{",".join([*missing, stage.name])})'
            )
        for name in needs(stage, self.ctx):
            self._verify(name)
        self._log_here()  # messages of the stage go to stages.log, not to the log of the training before it
        self.logger.info(f'stage {number} {stage.name}: {"continuing" if status else "starting"}')
        start = time.time()
        from_main(lambda: self._begin(stage))
        result = stage.execute(self.ctx, folder, resume=status == 'running')
        barrier()  # a stage is done only when all processes are done
        from_main(lambda: self._finish(stage, folder, result, time.time() - start))
        self._verified.add(stage.name)  # on all processes: each of them decides whether to verify a stage together
        self._share_ledger()
        _free_memory()
        self._log_here()
        self.logger.info(f'stage {number} {stage.name}: done in {time.time() - start:.0f} s')

    def _begin(self, stage: Stage) -> None:
        """Make the folder of a stage; if the stage was not started before, record its start."""
        folder = self.ctx.folders[stage.name]
        if self.ctx.ledger.status(stage.name) is None:
            if folder.is_dir():  # left by a run that is no longer in the ledger
                move_aside(self.ctx.work_dir, [stage.name])
            self.ctx.ledger.begin(stage.name, stage.settings(self.ctx), self._inputs(stage))
        folder.mkdir(parents=True, exist_ok=True)

    def _finish(self, stage: Stage, folder: Path, result: dict[str, Any], seconds: float) -> None:
        """Record that a stage is done, with the digests of its files."""
        digests = {file: file_digest(folder / file) for file in stage.files(folder, result)}
        self.ctx.ledger.finish(stage.name, result, seconds, digests)

    def _find(self, name: str) -> list[Stage]:
        found = [stage for stage in self.stages if stage.name == name or stage.name.startswith(name.rstrip('/') + '/')]
        if not found:
            raise KeyError(f'there is no stage {name!r}; there are {", ".join(stage.name for stage in self.stages)}')
        return found

    def _forget_all(self, stages: Sequence[Stage], what: str) -> None:
        """Remove stages from the ledger on all processes, and move their folders aside."""
        from_main(lambda: self._forget(stages, what))
        self._share_ledger()

    def _forget(self, stages: Sequence[Stage], what: str) -> None:
        names = [stage.name for stage in stages]
        if any(self.ctx.ledger.status(name) or self.ctx.folders[name].is_dir() for name in names):
            # Change the ledger first: a folder without an entry is moved aside later, but an entry needs its folder.
            self.ctx.ledger.forget(names)
            folder = move_aside(self.ctx.work_dir, names)
            self.logger.info(
                f'results of {what} were moved to {folder}' if folder else f'there was no folder of {what}'
            )

    def _log_here(self) -> None:
        """Make ``stages.log`` the current log; every training has its own."""
        self.logger = MMLogger.get_instance(
            f'stages-{time.time_ns()}',
            logger_name='mmengine',
            log_file=str(self.ctx.work_dir / 'stages.log'),
            file_mode='a',
            log_level=self.cfg.get('log_level', 'INFO'),
        )

    def _inputs(self, stage: Stage) -> dict[str, str | None]:
        """Return the identities of the stages and files that a stage uses."""
        return {stage_of(source) or source: self.ctx.identity(source) for source in stage.inputs(self.ctx)}

    def _share_ledger(self) -> None:
        """Copy the entries of the ledger from the main process to all processes."""
        self.ctx.ledger.entries = from_main(lambda: self.ctx.ledger.entries)

    def _summary(self) -> None:
        rows = [['stage', 'state', 'time', 'mIoU']]
        for stage in self.stages:
            entry = self.ctx.ledger.entries.get(stage.name, {})
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


def _free_memory() -> None:
    """Free the device memory of a finished stage."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
