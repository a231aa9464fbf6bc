"""mmengine's runner for adaptation: gloo without a GPU, per-child wrappers, safe and strict loading, exact resume."""

import copy
import os
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import barrier, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.logging import MMLogger, print_log
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from mmuda.checkpoints import load_weights, restore_histories, to_plain, weights_meta
from mmuda.checkpoints.reading import read_meta
from mmuda.checkpoints.states import check_finite_weights
from mmuda.checkpoints.weights_meta import differing_classes
from mmuda.datasets.building import build_dataset
from mmuda.datasets.label_check import check_classes_shown
from mmuda.datasets.summary import summaries
from mmuda.files import whole_file
from mmuda.internals import (
    built_loops,
    configured_seed,
    has_loaded,
    is_training,
    load_from_option,
    mark_loaded,
    resume_option,
    set_timestamp,
)
from mmuda.ranks import from_main, unwrap
from mmuda.settings import is_below
from mmuda.version import __version__

from .acceleration import compile_networks, compile_options, set_memory_format
from .distributed import join_processes, told_when_silent
from .hooks.stop_hook import StopHook
from .rescheduling import ConfiguredSchedule
from .resuming import adopt_run, begin_training, check_resumable, compare_settings, find_resumable
from .run_config import RunConfig
from .run_record import own_run
from .run_settings import changes_optimizer, changes_schedule, deciding_settings, training_facts
from .stopping import outlive_signals, saving_first
from .terminal import quieten

MMENGINE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
"""Default hooks that a runner has even if a config does not name them. None in a config removes them."""


@RUNNERS.register_module()
class AdaptationRunner(Runner):
    """:class:`mmengine.runner.Runner` for adaptors. Configs select it by ``runner_type='AdaptationRunner'``.

    Differences from mmengine's runner:

    - distributed runs work without a GPU (gloo), and each trainable child of the adaptor has its own wrapper;
    - checkpoints hold tensors and plain values only, are written atomically, and are read without unpickling objects;
    - every load is strict, or logs the children that it left out;
    - ``resume=True`` continues from the newest checkpoint in ``work_dir``, and uses ``load_from`` only if there is
      none. A path resumes from that file. With :class:`RandomStateHook`, a run that was killed at any time and resumed
      ends with the same weights as an uninterrupted run;
    - an empty data set is an error before the first iteration;
    - several runs in one process, such as stages, share nothing, even if they start in the same second.
    """

    all_allowed = True
    """Whether each key of ``resume_allow`` must be a setting of this run."""

    _run: str | None = None
    _content: dict | None = None
    _started: ClassVar[Counter] = Counter()

    @classmethod
    def from_cfg(cls, cfg: Config | dict) -> Runner:
        """Build a runner as mmengine does. The text of the config is formatted once, not for every checkpoint."""
        return super().from_cfg(RunConfig.of(cfg))

    def setup_env(self, env_cfg: dict) -> None:
        """Set up the environment as mmengine does, over gloo if there is no GPU.

        mmengine names a run after its start time in whole seconds. Two runs that start in the same second would share a
        message hub, and the second would delete checkpoints of the first.
        """
        join_processes(self.launcher, env_cfg)
        super().setup_env(env_cfg)
        self._started[self.timestamp] += 1
        if self._started[self.timestamp] > 1:
            set_timestamp(self, f'{self.timestamp}_{self._started[self.timestamp]}')

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger as mmengine does. On the terminal, one line replaces environment, config and hook list."""
        logger = super().build_logger(*args, **kwargs)
        quieten(logger)
        logger.info(
            f'mmuda {__version__}, PyTorch {torch.__version__}; environment and config are in {logger.log_file}'
        )
        return logger

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Register default hooks as mmengine does, but None removes any of them, not only mmengine's own."""
        kept = {name: hook for name, hook in (hooks or {}).items() if hook is not None or name in MMENGINE_HOOKS}
        super().register_default_hooks(kept)

    def build_visualizer(self, visualizer: Visualizer | dict | None = None) -> Visualizer:
        """Build the visualizer as mmengine does, named after the run.

        Otherwise the visualizer of an earlier run in this process would be used, which writes into the folder of that
        run.
        """
        if isinstance(visualizer, dict):
            visualizer = {**visualizer, 'name': self.experiment_name}
        return super().build_visualizer(visualizer)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap adaptors in :class:`AdaptorDistributedDataParallel`, unless the config names another wrapper.

        The weights get the ``memory_format`` of the config first, because a wrapper stores gradients in the memory
        order of the weights.
        """
        set_memory_format(model, self.cfg.get('memory_format'))
        if self.distributed and get_device() == 'cpu' and self.cfg.get('sync_bn') is not None:
            self.logger.warning('sync_bn needs GPUs: on CPUs each process normalises only with its own images')
            self.cfg.pop('sync_bn')
        given = dict(model_wrapper_cfg or {})
        if self.distributed and hasattr(model, 'adapt'):
            given.setdefault('type', 'AdaptorDistributedDataParallel')
            if 'find_unused_parameters' in self.cfg:
                given.setdefault('find_unused_parameters', self.cfg.find_unused_parameters)
            model_wrapper_cfg = given
        elif self.distributed and get_device() == 'cpu' and not is_model_wrapper(model):
            model_wrapper_cfg = {'type': 'MMDistributedDataParallel', 'device_ids': None, **given}
        return super().wrap_model(model_wrapper_cfg, model)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a data loader as mmengine does, and log a line about each data set.

        Raises:
            FileNotFoundError: If a folder or list of the data set does not exist, or holds nothing.
        """
        if isinstance(dataloader, dict):
            dataset = build_dataset(copy.deepcopy(dataloader['dataset']))
            for line in summaries(dataset):
                print_log(line, 'current')
            dataloader = dict(dataloader, dataset=dataset)
        loader = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        loader.worker_init_fn = partial(outlive_signals, loader.worker_init_fn)
        return loader

    # Training.

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Part of the config that decides the weights. A stage replaces it by its own settings."""
        return deciding_settings(self.cfg)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return training_facts(self, self.settings)

    def train(self) -> nn.Module:
        """Train as mmengine does, in a work directory that no other run uses meanwhile.

        Raises:
            RuntimeError: If another run uses the work directory.
        """
        resume = resume_option(self)
        with own_run(self.work_dir, resume), saving_first() as stoppable, told_when_silent(self.cfg):
            self._take_over_seed(resume)
            if stoppable:
                self.register_hook(StopHook())
            return super().train()

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, and check that labels of the source contain pixels of classes.

        Raises:
            ValueError: If they contain none.
        """
        built = super().build_train_loop(loop)
        check = getattr(built.dataloader.dataset, 'check_labels', None)
        if check is not None:
            check()
        return built

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, and check its data set for classes that no label contains, and for images of the training.

        Raises:
            ValueError: If the foreground of 0/255 masks is ignored, or a label has an id that is no class.
        """
        built = super().build_val_loop(loop)
        check_classes_shown(built.dataloader.dataset, 'validation')
        check = getattr(self.train_dataloader.dataset, 'check_validation', None) if is_training(self) else None
        if check is not None:
            check(built.dataloader.dataset)
        return built

    def _maybe_compile(self, target: str) -> None:
        """Compile the networks of an adaptor one by one; mmengine compiles the training step of other models."""
        if not hasattr(unwrap(self.model), 'adapt'):
            super()._maybe_compile(target)
            return
        options = compile_options(self.cfg.get('compile'))
        if options is not None:
            compile_networks(self.model, options)
            self.logger.info('networks are compiled: the first iterations take minutes')

    def _take_over_seed(self, resume: bool | str) -> None:
        """Set the seed in the checkpoint of a resumed run, if the config has none: it was drawn at the first start."""
        if not resume or configured_seed(self) is not None:
            return
        found = self._checkpoint_to_resume
        seed = from_main(lambda: (read_meta(found) or {}).get('seed') if found and os.path.isfile(found) else None)
        if isinstance(seed, int):
            self.set_randomness(**{**self.cfg.get('randomness', {}), 'seed': seed})

    # Saving.

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, meta: dict | None = None, **kwargs: Any) -> None:
        """Save a checkpoint from the main process. **All** processes must call it: they gather their states first.

        Hooks can define ``before_gather_checkpoint(runner)``, which is called on every process. The file gets its name
        only when it is complete and on the disk.

        Raises:
            FloatingPointError: If weights are NaN or infinite. Nothing is saved.
            OSError: If the disk is full; the message has the file and the remedy. Earlier checkpoints are kept.
        """
        self.call_hook('before_gather_checkpoint')
        check_finite_weights(unwrap(self.model).state_dict(), f'the network after iteration {self.iter + 1}')
        meta = dict(
            meta or {}, mmuda_version=__version__, run=self._run, training=self._facts, **weights_meta(self.model)
        )
        if not isinstance(get_file_backend(out_dir), LocalBackend) or not is_main_process():
            super().save_checkpoint(out_dir, filename, *args, meta=meta, **kwargs)
            return
        with whole_file(Path(out_dir, filename)) as draft:
            super().save_checkpoint(out_dir, draft.name, *args, meta=meta, **kwargs)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call hooks as mmengine does. After all hooks have added to a checkpoint, convert it to plain values.

        Raises:
            TypeError: If a hook, or the message hub, adds a value without plain form, see :func:`to_plain`.
        """
        super().call_hook(fn_name, **kwargs)
        if fn_name == 'before_save_checkpoint':
            kwargs['checkpoint'].update(to_plain(kwargs['checkpoint']))

    # Loading.

    def load_or_resume(self) -> None:
        """Resume if the config says so and there is a checkpoint; otherwise load ``load_from``, if it is set."""
        if has_loaded(self):
            return
        resume, load_from = resume_option(self), load_from_option(self)
        if resume:
            found = self._checkpoint_to_resume
            if found is not None:
                self.resume(found)
                return
            self.logger.info(f'nothing to resume in {self.work_dir}: starting at iteration 0')
        if load_from is not None:
            self.load_checkpoint(load_from)
        if is_training(self):
            barrier()  # load_from can be one of the files that are moved now
            self._run = from_main(lambda: begin_training(self.work_dir))
            mark_loaded(self)  # val() and test() after this must not begin another run

    @cached_property
    def _checkpoint_to_resume(self) -> str | None:
        """Checkpoint from which training continues, the same on all processes; None if there is none."""
        resume = resume_option(self)
        return from_main(lambda: resume if isinstance(resume, str) else find_resumable(self.work_dir))

    def load_checkpoint(self, filename: str, map_location: str = 'cpu', strict: bool = False, **kwargs: Any) -> dict:
        """Load weights. For differences that are allowed or an error see :func:`load_weights`.

        Raises:
            RuntimeError: If the weights do not fit. In a test or on resume, also if they were trained for other classes
                than those of the data; a new training only logs a warning.
        """
        checkpoint = self._content
        if checkpoint is None:
            checkpoint = CheckpointLoader.load_checkpoint(filename, map_location)
        different = differing_classes(checkpoint, self._classes(), filename)
        if different and not (is_training(self) and self._content is None):
            raise RuntimeError(different)
        if different:  # a new training can learn other classes from these weights
            self.logger.warning(different)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_weights(unwrap(self.model), checkpoint, filename, strict=strict or self._content is not None)
        mark_loaded(self)
        self.logger.info(f'Loaded weights from {filename}')
        return checkpoint

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str = 'cpu',
    ) -> None:
        """Continue where a checkpoint of the same config stopped.

        Settings that decide the result must be the same, except for those in ``resume_allow`` of the config. If
        optimizers or schedules are among these, those of the config are used from here on, at the current step of the
        schedule.

        Raises:
            RuntimeError: If settings differ, or the checkpoint holds no state of a training.
        """
        content = CheckpointLoader.load_checkpoint(filename, map_location)
        check_resumable(content, filename)
        allowed = self.cfg.get('resume_allow') or ()
        changed = compare_settings(content, filename, self._facts, allowed, self.all_allowed)
        restore_histories(content, filename)
        if changes_optimizer(changed):
            self.logger.warning('an optimizer was replaced by one of another type: optimizers begin without a state')
            resume_optimizer = False
        schedule = ConfiguredSchedule(self) if changes_schedule(changed) else None
        if any(is_below(line, 'randomness.seed') for line in changed):
            content['meta'].pop('seed', None)  # mmengine would use the seed of the checkpoint
        self._content = content
        try:
            super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        finally:
            self._content = None
        if schedule is not None:
            self.logger.info(schedule.apply(self.iter // getattr(self.optim_wrapper, 'accumulative_counts', 1)))
        if is_training(self):
            self._run = from_main(lambda: adopt_run(self.work_dir, filename, self.iter, content['meta']))
            if self.iter >= self.max_iters:
                self.logger.info(
                    f'the training is complete: {filename} is its iteration {self.iter} of {self.max_iters}. To train '
                    'longer, raise train_cfg.max_iters and the end of param_scheduler, and name both with --allow'
                )

    def _classes(self) -> Sequence[str] | None:
        """Return the class names of the training or test data; None if they are not known."""
        for loop in built_loops(self):
            return (getattr(loop.dataloader.dataset, 'metainfo', None) or {}).get('classes')
        return None
