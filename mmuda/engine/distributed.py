"""Distributed training of adaptors: each child in a separate wrapper, and processes with or without GPUs."""

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
    """DistributedDataParallel whose state dict has the keys of the module without wrapper."""

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the state of the wrapped module, without ``module.`` in its keys."""
        return self.module.state_dict(*args, **kwargs)


@MODEL_WRAPPERS.register_module()
class AdaptorDistributedDataParallel(nn.Module):
    """Wrapper of an adaptor that puts every trainable child into a separate DistributedDataParallel.

    The parts of an adaptor are back-propagated one after the other, and some of them are frozen meanwhile. A single
    wrapper around the adaptor does not support this. Checkpoints have the keys of the adaptor without wrapper, so 1 and
    N processes can read each other's files.

    Args:
        module: The adaptor; its trainable children are replaced by their wrappers.
        find_unused_parameters: Whether a loss can use only some weights of a child (for example no auxiliary head). The
            search for unused weights takes about a millisecond for a ResNet-101. With False, such methods fail.
        sync_buffers: Copy the buffers of rank 0 to all processes in each forward pass. Off by default: batch-norm
            statistics are averaged when they are needed, see :class:`BatchNormSyncHook`.
        **kwargs: Arguments of :class:`torch.nn.parallel.DistributedDataParallel`.
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
        """Call :meth:`BaseAdaptor.train_step`; the wrappers of the children average gradients over processes."""
        return self.module.train_step(data, optim_wrapper)

    def val_step(self, data: dict) -> list:
        """Call :meth:`BaseAdaptor.val_step`."""
        return self.module.val_step(data)

    def test_step(self, data: dict) -> list:
        """Call :meth:`BaseAdaptor.test_step`."""
        return self.module.test_step(data)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call :meth:`BaseAdaptor.forward`."""
        return self.module(*args, **kwargs)


def start_gloo(timeout: float | None = None) -> None:
    """Join the process group that ``torchrun`` describes in the environment, over gloo.

    mmengine's launcher needs a GPU.

    Args:
        timeout: Seconds that processes wait for each other; by default PyTorch's half an hour.

    Raises:
        RuntimeError: If the environment was not set by ``torchrun``.
    """
    missing = [key for key in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT') if key not in os.environ]
    if missing:
        raise RuntimeError(
            f'distributed training was requested, but {", ".join(missing)} are not set: start it with '
            'tools/dist_train.sh CONFIG NUM_PROCESSES (or torchrun) instead of python'
        )
    dist.init_process_group('gloo', timeout=None if timeout is None else timedelta(seconds=timeout))


def join_processes(launcher: str, env_cfg: dict) -> None:
    """Join the process group of a launcher, if that was not done before: gloo without a GPU, otherwise as in mmengine.

    Args:
        launcher: As in mmengine; ``'none'`` does nothing.
        env_cfg: ``env_cfg`` of the config. mmengine gets its ``dist_cfg``; gloo gets the ``timeout`` in it.
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
    """End this process and its data workers soon after the process that started it was killed.

    Otherwise the processes of a killed launcher would continue to train, beside those of the resumed run.

    Args:
        every: Seconds between two checks.
    """
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(every)
        print(f'process {os.getpid()} ends: its launcher, process {launcher}, is gone', file=sys.stderr, flush=True)
        for worker in multiprocessing.active_children():
            worker.kill()
        os.kill(os.getpid(), signal.SIGKILL)  # the main thread can be waiting in C++ for a process that is gone

    threading.Thread(target=watch, name='launcher watch', daemon=True).start()


@contextmanager
def told_when_silent(cfg: Mapping[str, Any]) -> Iterator[None]:
    """Raise a clear error if another process does not answer an exchange in the ``with`` block in time.

    Raises:
        RuntimeError: In place of the error of gloo or NCCL.
    """
    try:
        yield
    except RuntimeError as error:
        if not (is_initialized() and is_timeout(error)):
            raise
        seconds = (cfg.get('env_cfg') or {}).get('dist_cfg', {}).get('timeout', 1800)
        raise RuntimeError(
            f'another process did not answer for {seconds} s (env_cfg.dist_cfg.timeout): it hangs, was stopped, or its '
            'machine is gone; see its log. End all processes, and continue with --resume'
        ) from error


def leave_at_exit() -> None:
    """Leave the process group when Python ends. Otherwise the threads of gloo can abort the process."""
    atexit.register(_leave)


def _leave() -> None:
    gc.collect()  # runners have reference cycles, and wrappers in them keep the group alive
    if dist.is_initialized():
        dist.destroy_process_group()


def average_batch_norm(model: nn.Module) -> None:
    """Average running means and variances over all processes, so that all predict the same.

    All processes must call it. A single process changes nothing.
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
