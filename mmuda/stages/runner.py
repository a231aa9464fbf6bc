"""A paper of several steps, run by one command."""

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
    """Runs the ``stages`` of a config one after the other; configs name it by ``runner_type='StagedRunner'``.

    ``stages`` is a list of names; each is a dict of the config, so a config that inherits changes one by its name
    (``rounds = dict(num_rounds=3)``). Dicts with a ``name`` may stand in the list as well. :class:`TrainStage` trains
    this very config with some keys changed, :class:`LabelStage` writes pseudo labels, :class:`RankStage` splits images,
    :class:`PriorStage` estimates where classes are, :class:`CBSTRounds` stands for all rounds of CBST; plug-ins
    register their own in :data:`mmuda.registry.STAGES`. Each has a folder in ``work_dir``, and ``ledger.json`` there
    says which are done, with which settings and results. A stage takes weights, lists and labels from an earlier one
    as ``'{name}'`` or ``'{name}/file'``.

    With ``resume``, finished stages are skipped and the interrupted one continues. Killed at any time and resumed, a
    run ends with the same weights and labels as one that was not interrupted (on a CPU, bit for bit). Without
    ``resume`` a run starts anew, and the results of an earlier one are moved into ``before_<time>``.

    Args:
        cfg: The whole config.

    Raises:
        ValueError: If stages have the same name, or one refers to a stage that does not come before it.
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
            only: Run just these, by name or by the beginning of their names (``rounds/0``); what they take from other
                stages must be there.
            restart_from: Run this stage and all after it anew.

        Raises:
            RuntimeError: If another run uses the work directory; if a finished or interrupted stage had other
                settings, or results of another stage are missing or were changed.
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
            self._forget_all(self.stages[first:], f'{restart_from} and what came after it')
        wanted = (
            self.stages
            if only is None
            else [stage for stage in self.stages if stage in {found for name in only for found in self._find(name)}]
        )
        for stage in self.stages:  # a change is told before anything long starts
            if self.ctx.ledger.status(stage.name) is not None:
                self._check(stage)
        for stage in wanted:
            self._execute(stage)
        self._summary()

    def _leave_single_training(self, resume: bool) -> None:
        """Move checkpoints of a training without stages aside; no stage can go on from them."""
        found = latest_checkpoint(self.ctx.work_dir)
        if found is not None and resume:
            raise RuntimeError(
                f'{found} comes from a training without stages, and this config has the stages '
                f'{", ".join(stage.name for stage in self.stages)}: choose another --work-dir, or leave --resume out, '
                'which moves the results of that training aside'
            )
        if found is not None:
            set_aside_earlier_run(self.ctx.work_dir)

    def _take_ledger(self, resume: bool) -> None:
        """Read the ledger again now that nobody else writes it; an earlier run's is none of a run that was to begin."""
        from_main(lambda: self._reload_ledger(resume))
        self._share_ledger()

    def _reload_ledger(self, resume: bool) -> None:
        ledger, record = self.ctx.ledger, RunRecord(self.ctx.work_dir)
        ledger.reload()
        if resume and record.exists and ledger.entries and ledger.run != record.run:
            self.logger.warning(
                f'the stages in {self.ctx.work_dir} belong to an earlier run, which a new one was to replace; that '
                'one was stopped before its first stage, so it starts again'
            )
            names = [stage.name for stage in self.stages]
            ledger.forget(names)
            move_aside(self.ctx.work_dir, names)

    def _belong_to_run(self) -> None:
        """Note the run in the ledger, when nothing of an earlier one is left in it."""
        record = RunRecord(self.ctx.work_dir)
        if self.ctx.ledger.run != record.run:
            self.ctx.ledger.begin_run(record.run)
        record.settle()

    def _check(self, stage: Stage) -> None:
        """Compare the settings of a stage with those that it was begun with."""
        ledger, settings = self.ctx.ledger, stage.settings(self.ctx)
        lines = ledger.check(stage.name, settings, self._inputs(stage), list(self.cfg.get('resume_allow') or []))
        if not lines:
            return
        running = ledger.status(stage.name) == 'running'
        told = '\n  '.join(lines)
        how = 'goes on with other settings' if running else 'is done, and stays as it was made with other settings'
        self.logger.warning(f'stage {stage.name!r} {how}:\n  {told}')
        if running:
            from_main(lambda: ledger.change(stage.name, settings, lines))

    def _verify(self, name: str) -> None:
        """Check that the files of a finished stage are what it wrote, before another one uses them.

        Raises:
            RuntimeError: If they are not.
        """
        if name in self._verified:
            return
        changed = from_main(lambda: self.ctx.ledger.changed_files(name, self.ctx.folders[name]))
        if changed:
            raise RuntimeError(
                f'stage {name!r} is done, but in {self.ctx.folders[name]} {", ".join(changed)}: put back what it '
                f'wrote, or run it and all after it again with --restart-from {name}'
            )
        self._verified.add(name)

    def _execute(self, stage: Stage) -> None:
        number = f'{self.stages.index(stage) + 1}/{len(self.stages)}'
        ledger, status = self.ctx.ledger, self.ctx.ledger.status(stage.name)
        folder = self.ctx.folders[stage.name]
        if status == 'done':
            if not folder.is_dir():
                raise RuntimeError(
                    f'stage {stage.name!r} is done, but its folder {folder} is gone: put it back, or run it and all '
                    f'after it again with --restart-from {stage.name}'
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
        self._log_here()  # what a stage says is in stages.log, and not in the log of the training before it
        self.logger.info(f'stage {number} {stage.name}: {"going on" if status else "starting"}')
        start = time.time()
        from_main(lambda: self._begin(stage))
        result = stage.execute(self.ctx, folder, resume=status == 'running')
        barrier()  # a stage is done when it is done on all processes
        from_main(lambda: self._finish(stage, folder, result, time.time() - start))
        self._share_ledger()
        _free_memory()
        self._log_here()
        self.logger.info(f'stage {number} {stage.name}: done in {time.time() - start:.0f} s')

    def _begin(self, stage: Stage) -> None:
        """Note that a stage begins, or goes on, and make its folder."""
        folder = self.ctx.folders[stage.name]
        if self.ctx.ledger.status(stage.name) is None:
            if folder.is_dir():  # of a run that the ledger does not know any more
                move_aside(self.ctx.work_dir, [stage.name])
            self.ctx.ledger.begin(stage.name, stage.settings(self.ctx), self._inputs(stage))
        folder.mkdir(parents=True, exist_ok=True)

    def _finish(self, stage: Stage, folder: Path, result: dict[str, Any], seconds: float) -> None:
        """Note that a stage is done, and the digests of what it wrote."""
        digests = {file: file_digest(folder / file) for file in stage.files(folder, result)}
        self.ctx.ledger.finish(stage.name, result, seconds, digests)
        self._verified.add(stage.name)

    def _find(self, name: str) -> list[Stage]:
        found = [stage for stage in self.stages if stage.name == name or stage.name.startswith(name.rstrip('/') + '/')]
        if not found:
            raise KeyError(f'there is no stage {name!r}; there are {", ".join(stage.name for stage in self.stages)}')
        return found

    def _forget_all(self, stages: Sequence[Stage], what: str) -> None:
        """Forget stages, on all processes."""
        from_main(lambda: self._forget(stages, what))
        self._share_ledger()

    def _forget(self, stages: Sequence[Stage], what: str) -> None:
        names = [stage.name for stage in stages]
        if any(self.ctx.ledger.status(name) or self.ctx.folders[name].is_dir() for name in names):
            # The ledger comes first: a folder without an entry is set aside later, but an entry must have its folder.
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
        """Return the identities of the stages and files that a stage is made from."""
        return {stage_of(source) or source: self.ctx.identity(source) for source in stage.inputs(self.ctx)}

    def _share_ledger(self) -> None:
        """Take over the ledger of the main process."""
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
    """Give back what a stage has left on the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
