"""mmengine's runner for adaptation: gloo without a GPU, per-child wrappers, safe and strict loading, exact resume."""
import copy
import os
from typing import Optional, Union

import torch
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn
from torch.utils.data import DataLoader

from mmuda.datasets.building import build_dataset
from mmuda.version import __version__

from .checkpoint import latest_checkpoint, load_weights
from .distributed import start_gloo


@RUNNERS.register_module()
class AdaptationRunner(Runner):
    """:class:`mmengine.runner.Runner` for adaptors; configs name it by ``runner_type='AdaptationRunner'``.

    What differs:

    - distributed runs work without a GPU (gloo) and wrap each child of the adaptor on its own;
    - checkpoints are written whole or not at all, and read without unpickling objects;
    - every load is strict or says what it left out, on every rank;
    - ``resume=True`` goes on from the newest checkpoint in ``work_dir``; only if there is none is ``load_from`` used. A path
      resumes from that file. With :class:`RandomStateHook` a run killed at any time and resumed ends with the same weights;
    - an empty data set is an error before the first iteration.
    """

    _resuming = False

    def setup_env(self, env_cfg: dict) -> None:
        """As in mmengine, over gloo where there is no GPU."""
        if self.distributed and get_device() == 'cpu' and not torch.distributed.is_initialized():
            start_gloo()
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: Optional[dict], model: nn.Module) -> nn.Module:
        """Adaptors are wrapped by :class:`AdaptorDistributedDataParallel` unless the config names another wrapper."""
        if self.distributed and not is_model_wrapper(model) and hasattr(model, 'adapt'):
            model_wrapper_cfg = dict(model_wrapper_cfg or {})
            model_wrapper_cfg.setdefault('type', 'AdaptorDistributedDataParallel')
        elif self.distributed and get_device() == 'cpu':
            model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, **(model_wrapper_cfg or {}))
        return super().wrap_model(model_wrapper_cfg, model)

    @staticmethod
    def build_dataloader(dataloader: Union[DataLoader, dict], seed: Optional[int] = None,
                         diff_rank_seed: bool = False) -> DataLoader:
        """As in mmengine.

        Raises:
            FileNotFoundError: If a folder or list of the data set does not exist, or holds nothing.
        """
        if isinstance(dataloader, dict):
            dataloader = dict(dataloader, dataset=build_dataset(copy.deepcopy(dataloader['dataset'])))
        return Runner.build_dataloader(dataloader, seed, diff_rank_seed)

    # Saving and loading.

    def save_checkpoint(self, out_dir: str, filename: str, *args, meta: Optional[dict] = None, **kwargs) -> None:
        """Save from the main process; called by **all** ranks, which gather their states first.

        Hooks may define ``before_gather_checkpoint(runner)``, called on every rank. The file appears under its name only
        when it is complete.
        """
        self.call_hook('before_gather_checkpoint')
        meta = dict(meta or {}, world_size=self.world_size, mmuda_version=__version__)
        local = isinstance(get_file_backend(out_dir), LocalBackend)
        name = f'{filename}.part' if local else filename
        super().save_checkpoint(out_dir, name, *args, meta=meta, **kwargs)
        if local and is_main_process():
            os.replace(os.path.join(out_dir, name), os.path.join(out_dir, filename))

    def load_or_resume(self) -> None:
        """Resume if asked to and if there is something to resume, else load ``load_from``."""
        if self._has_loaded:
            return
        if self._resume:
            found = self._resume if isinstance(self._resume, str) else latest_checkpoint(self.work_dir)
            if found is not None:
                self.resume(found)
                return
            self.logger.info(f'nothing to resume in {self.work_dir}: starting at iteration 0')
        if self._load_from is not None:
            self.load_checkpoint(self._load_from)

    def load_checkpoint(self, filename: str, map_location: str = 'cpu', strict: bool = False, **kwargs) -> dict:
        """Load weights; see :func:`load_weights` for what may be left out and what is an error."""
        checkpoint = CheckpointLoader.load_checkpoint(filename, map_location)
        if self._resuming:
            self._check_resumable(checkpoint.get('meta', {}), filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        load_weights(model, checkpoint, filename, strict=strict or self._resuming)
        self._has_loaded = True
        self.logger.info(f'Loaded weights from {filename}')
        return checkpoint

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Go on where a checkpoint of the same config stopped.

        Raises:
            RuntimeError: If the seed differs, since data order and augmentation follow from it.
        """
        self._resuming = True
        try:
            super().resume(filename, *args, **{'map_location': 'cpu', **kwargs})
        finally:
            self._resuming = False

    def _check_resumable(self, meta: dict, filename: str) -> None:
        wanted = self._randomness_cfg.get('seed')
        if meta.get('seed') != wanted:
            raise RuntimeError(f'{filename} was trained with seed {meta.get("seed")}, this run has {wanted}: resume '
                               f'with --cfg-options randomness.seed={meta.get("seed")}')
        before = meta.get('world_size', self.world_size)
        if before != self.world_size:
            self.logger.warning(f'{filename} was written by {before} processes and is resumed by {self.world_size}: '
                                'training goes on, but will not equal a run that was never interrupted')
