"""Distributed training of adaptors: each child in its own wrapper, and processes that also start without a GPU."""

import atexit
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from mmengine.device import get_device
from mmengine.dist import all_reduce_params, init_dist, is_distributed as is_initialized
from mmengine.optim import OptimWrapperDict
from mmengine.registry import MODEL_WRAPPERS
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmuda.internals import SYNC_BUFFERS, BatchNorm, is_timeout


class ChildDistributedDataParallel(DistributedDataParallel):
    """DistributedDataParallel whose checkpoint keys do not know that it is there."""

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The state of the wrapped module, without ``module.`` in its keys."""
        return self.module.state_dict(*args, **kwargs)


@MODEL_WRAPPERS.register_module()
class AdaptorDistributedDataParallel(nn.Module):
    """Wraps every trainable child of an adaptor in its own DistributedDataParallel.

    The parts of an adaptor are back-propagated one after the other and some of them are frozen meanwhile, which one
    common wrapper cannot follow. Checkpoints have the keys of the bare adaptor, so 1 and N processes read each other's
    files.

    Args:
        module: The adaptor; its trainable children are replaced by their wrappers.
        find_unused_parameters: A part may use only some weights of a child (an auxiliary head, say); looking for
            them costs about a millisecond for a ResNet-101. False is an error for such methods.
        sync_buffers: Copy the buffers of rank 0 to all in each forward pass. Off by default: batch-norm statistics are
            averaged when they are needed, see :class:`BatchNormSyncHook`.
        **kwargs: As :class:`torch.nn.parallel.DistributedDataParallel`.
    """

    def __init__(
        self, module: nn.Module, find_unused_parameters: bool = True, sync_buffers: bool = False, **kwargs: Any
    ) -> None:
        super().__init__()
        device = torch.device(get_device())
        module.to(device)
        if device.type != 'cpu':
            kwargs.setdefault('device_ids', [torch.cuda.current_device() if device.type == 'cuda' else device])
        kwargs[SYNC_BUFFERS] = sync_buffers
        for name, child in module.named_children():
            if any(parameter.requires_grad for parameter in child.parameters()):
                setattr(
                    module,
                    name,
                    ChildDistributedDataParallel(child, find_unused_parameters=find_unused_parameters, **kwargs),
                )
        self.module: Any = module

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict:
        """As :meth:`BaseAdaptor.train_step`; gradients are averaged over processes by the children's wrappers."""
        return self.module.train_step(data, optim_wrapper)

    def val_step(self, data: dict) -> list:
        """As :meth:`BaseAdaptor.val_step`."""
        return self.module.val_step(data)

    def test_step(self, data: dict) -> list:
        """As :meth:`BaseAdaptor.test_step`."""
        return self.module.test_step(data)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`BaseAdaptor.forward`."""
        return self.module(*args, **kwargs)


def start_gloo(timeout: float | None = None) -> None:
    """Join the process group that ``torchrun`` describes in the environment, over gloo.

    mmengine's launcher insists on a GPU.

    Args:
        timeout: Seconds that processes wait for each other; by default as PyTorch has it, half an hour.

    Raises:
        RuntimeError: If the environment was not set by ``torchrun``.
    """
    missing = [key for key in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT') if key not in os.environ]
    if missing:
        raise RuntimeError(
            f'distributed training was asked for, but {", ".join(missing)} are not set: start it with '
            'tools/dist_train.sh CONFIG NUM_PROCESSES (or torchrun) instead of python'
        )
    dist.init_process_group('gloo', timeout=None if timeout is None else timedelta(seconds=timeout))


def join_processes(launcher: str, env_cfg: dict) -> None:
    """Join the process group of a launcher once: gloo without a GPU, otherwise as mmengine does.

    Args:
        launcher: ``'none'`` does nothing.
        env_cfg: Of the config; ``dist_cfg`` is handed to mmengine.
    """
    if launcher == 'none':
        return
    if not is_initialized():
        if get_device() == 'cpu':
            start_gloo(env_cfg.get('dist_cfg', {}).get('timeout'))
        else:
            init_dist(launcher, **env_cfg.get('dist_cfg', {}))
        leave_at_exit()
        if launcher == 'pytorch':
            end_with_launcher()


def end_with_launcher(every: float = 1.0) -> None:
    """End this process, and its data workers, soon after the process that started it was killed.

    Without it the processes of a killed launcher train on, beside those of the run that was resumed.

    Args:
        every: Seconds between two looks.
    """
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(every)
        print(f'process {os.getpid()} ends: its launcher, process {launcher}, is gone', file=sys.stderr, flush=True)
        for worker in multiprocessing.active_children():
            worker.kill()
        os.kill(os.getpid(), signal.SIGKILL)  # the main thread may wait in C++ for a process that is gone

    threading.Thread(target=watch, name='launcher watch', daemon=True).start()


@contextmanager
def told_when_silent(cfg: Mapping[str, Any]) -> Iterator[None]:
    """Say in plain words that another process does not answer, when an exchange in the block waits too long.

    Raises:
        RuntimeError: Instead of that of gloo or NCCL.
    """
    try:
        yield
    except RuntimeError as error:
        if not (is_initialized() and is_timeout(error)):
            raise
        seconds = (cfg.get('env_cfg') or {}).get('dist_cfg', {}).get('timeout', 1800)
        raise RuntimeError(
            f'another process did not answer for {seconds} s (env_cfg.dist_cfg.timeout): it hangs, was stopped, or its '
            'machine is gone; its log may say more. End all processes, and go on with --resume'
        ) from error


def leave_at_exit() -> None:
    """Leave the process group when Python ends; gloo's threads may abort the process otherwise."""
    atexit.register(_leave)


def _leave() -> None:
    gc.collect()  # runners are full of cycles, and wrappers in them hold on to the group
    if dist.is_initialized():
        dist.destroy_process_group()


def average_batch_norm(model: nn.Module) -> None:
    """Average running means and variances over all processes, so that all predict alike.

    All processes must call it; in a single process nothing happens.
    """
    all_reduce_params(list(batch_norm_buffers(model).values()), op='mean')


def batch_norm_buffers(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the running means and variances of a model by their names."""
    return {
        f'{name}.{kind}': getattr(module, kind)
        for name, module in model.named_modules()
        if isinstance(module, BatchNorm) and module.track_running_stats
        for kind in ('running_mean', 'running_var')
    }
