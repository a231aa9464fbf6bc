"""mmengine's runner for adaptation: gloo without a GPU, per-child wrappers, safe and strict loading, exact resume."""

import copy
import os
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from mmengine.device import get_device
from mmengine.dist import barrier, is_main_process, master_only
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from mmuda.checkpoints import latest_checkpoint, load_weights, restore_histories, to_plain, weights_meta
from mmuda.datasets.building import build_dataset
from mmuda.datasets.class_lists import check_checkpoint_classes
from mmuda.files import move_aside
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
from mmuda.version import __version__

from .distributed import join_processes


@RUNNERS.register_module()
class AdaptationRunner(Runner):
    """:class:`mmengine.runner.Runner` for adaptors; configs name it by ``runner_type='AdaptationRunner'``.

    What differs:

    - distributed runs work without a GPU (gloo) and wrap each child of the adaptor on its own;
    - checkpoints hold tensors and plain values only, are written whole or not at all, and are read without unpickling
      objects;
    - every load is strict or says what it left out, on every rank;
    - ``resume=True`` goes on from the newest checkpoint in ``work_dir``; only if there is none is ``load_from`` used. A
      path resumes from that file. With :class:`RandomStateHook` a run killed at any time and resumed ends with the same
      weights;
    - an empty data set is an error before the first iteration;
    - runs of one process, such as stages, share nothing, even if they start in the same second.
    """

    _resuming = False
    _started: ClassVar[Counter] = Counter()

    def setup_env(self, env_cfg: dict) -> None:
        """As in mmengine, over gloo where there is no GPU.

        mmengine names a run after its start time in whole seconds. Two runs that start in the same second would share a
        message hub, and the second would delete checkpoints of the first.
        """
        join_processes(self.launcher, env_cfg)
        super().setup_env(env_cfg)
        self._started[self.timestamp] += 1
        if self._started[self.timestamp] > 1:
            set_timestamp(self, f'{self.timestamp}_{self._started[self.timestamp]}')

    def build_visualizer(self, visualizer: Visualizer | dict | None = None) -> Visualizer:
        """As in mmengine, but named by the run: one of an earlier run would go on writing into its folder."""
        if isinstance(visualizer, dict):
            visualizer = {**visualizer, 'name': self.experiment_name}
        return super().build_visualizer(visualizer)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Adaptors are wrapped by :class:`AdaptorDistributedDataParallel` unless the config names another wrapper."""
        if self.distributed and get_device() == 'cpu' and self.cfg.get('sync_bn') is not None:
            self.logger.warning('sync_bn needs GPUs: on CPUs each process normalises with its own images')
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
        """As in mmengine.

        Raises:
            FileNotFoundError: If a folder or list of the data set does not exist, or holds nothing.
        """
        if isinstance(dataloader, dict):
            dataloader = dict(dataloader, dataset=build_dataset(copy.deepcopy(dataloader['dataset'])))
        return Runner.build_dataloader(dataloader, seed, diff_rank_seed)

    # Saving and loading.

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, meta: dict | None = None, **kwargs: Any) -> None:
        """Save from the main process; called by **all** ranks, which gather their states first.

        Hooks may define ``before_gather_checkpoint(runner)``, called on every rank. The file appears under its name
        only when it is complete.
        """
        self.call_hook('before_gather_checkpoint')
        meta = dict(meta or {}, mmuda_version=__version__, training=self._training_facts(), **weights_meta(self.model))
        local = isinstance(get_file_backend(out_dir), LocalBackend)
        name = f'{filename}.part' if local else filename
        super().save_checkpoint(out_dir, name, *args, meta=meta, **kwargs)
        if local and is_main_process():
            os.replace(os.path.join(out_dir, name), os.path.join(out_dir, filename))

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """As in mmengine. When all hooks have added to a checkpoint that is about to be written, make it plain.

        Raises:
            TypeError: If a hook, or the message hub, adds something that has no plain form: see :func:`to_plain`.
        """
        super().call_hook(fn_name, **kwargs)
        if fn_name == 'before_save_checkpoint':
            kwargs['checkpoint'].update(to_plain(kwargs['checkpoint']))

    def load_or_resume(self) -> None:
        """Resume if asked to and if there is something to resume, else load ``load_from``."""
        if has_loaded(self):
            return
        resume, load_from = resume_option(self), load_from_option(self)
        if resume:
            # Processes that saw another folder would start on their own.
            found = from_main(lambda: resume if isinstance(resume, str) else latest_checkpoint(self.work_dir))
            if found is not None:
                self.resume(found)
                return
            self.logger.info(f'nothing to resume in {self.work_dir}: starting at iteration 0')
        if load_from is not None:
            self.load_checkpoint(load_from)
        if is_training(self):
            barrier()  # load_from may be one of the files that are moved now
            self._set_aside_earlier_run()

    @master_only
    def _set_aside_earlier_run(self) -> None:
        """A run that starts in the folder of an earlier one must neither overwrite nor ever resume its checkpoints."""
        earlier = [*Path(self.work_dir).glob('iter_*.pth'), *Path(self.work_dir).glob('last_checkpoint')]
        folder = move_aside(self.work_dir, [path.name for path in earlier])
        if folder is not None:
            self.logger.info(
                f'checkpoints of an earlier run were moved to {folder} (--resume would have gone on with them)'
            )

    def load_checkpoint(self, filename: str, map_location: str = 'cpu', strict: bool = False, **kwargs: Any) -> dict:
        """Load weights; see :func:`load_weights` for what may be left out and what is an error."""
        checkpoint = CheckpointLoader.load_checkpoint(filename, map_location)
        if self._resuming:
            self._check_resumable(checkpoint, filename)
            restore_histories(checkpoint, filename)
        for loop in built_loops(self):
            classes = (getattr(loop.dataloader.dataset, 'metainfo', None) or {}).get('classes')
            differs = check_checkpoint_classes(checkpoint, classes, filename)
            if differs:
                self.logger.warning(differs)
                break
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_weights(unwrap(self.model), checkpoint, filename, strict=strict or self._resuming)
        mark_loaded(self)
        self.logger.info(f'Loaded weights from {filename}')
        return checkpoint

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Go on where a checkpoint of the same config stopped.

        Raises:
            RuntimeError: If the seed, the batch size, the precision or the accumulation differ.
        """
        self._resuming = True
        try:
            super().resume(filename, *args, **{'map_location': 'cpu', **kwargs})
        finally:
            self._resuming = False

    def _training_facts(self) -> dict:
        """Return the settings in which a resumed run must agree with the interrupted one."""
        wrapper = self.optim_wrapper
        return dict(
            world_size=self.world_size,
            batch_size=self.train_dataloader.batch_size,
            accumulative_counts=getattr(wrapper, 'accumulative_counts', 1),
            precision=str(getattr(wrapper, 'dtype', None)),
        )

    def _check_resumable(self, checkpoint: dict, filename: str) -> None:
        meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
        if not isinstance(meta, dict) or 'iter' not in meta:
            raise RuntimeError(
                f'{filename} holds no state of a training that could go on: start anew from its weights with load_from'
            )
        before, now = dict(meta.get('training', {})), self._training_facts()
        before['seed'], now['seed'] = meta.get('seed'), configured_seed(self)
        where = dict(
            seed='randomness.seed',
            batch_size='train_dataloader.batch_size',
            precision='--amp',
            accumulative_counts='optim_wrapper.accumulative_counts',
        )
        for key, place in where.items():
            if before.get(key, now[key]) != now[key]:
                raise RuntimeError(
                    f'{filename} was trained with {key} {before[key]}, this run has {now[key]}: resume with the '
                    f'same {place}, or start anew from its weights with load_from'
                )
        if before.get('world_size', self.world_size) != self.world_size:
            self.logger.warning(
                f'{filename} was written by {before["world_size"]} processes and is resumed by {self.world_size}: '
                'training goes on, but will not equal a run that was never interrupted'
            )
        if 'random_states' not in checkpoint:
            self.logger.warning(
                f'{filename} holds no random states (RandomStateHook writes them): training goes on, but '
                'will not equal a run that was never interrupted'
            )
