"""Facts about mmengine, mmcv, mmseg and PyTorch that mmuda relies on although they are not part of the public API.

Private attributes and methods, undocumented names and texts of errors can change with any release of these packages.
Each of them that mmuda needs is one constant or function here, and has a test in ``tests/test_internals.py``. After an
update, the tests that fail show the facts that have changed. No other module of mmuda uses a private name of another
package; a test checks the source.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.hooks import CheckpointHook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseDataPreprocessor, BaseModule
from mmengine.optim import OptimWrapper, PolyParamScheduler
from mmengine.runner import BaseLoop, Runner, checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

# Methods that mmuda overrides.


class Overridden(NamedTuple):
    """A private method of a class of another package that a class of mmuda overrides.

    Attributes:
        owner: The class that defines the method.
        name: Name of the method.
        parameters: Names of its parameters.
        why: Reason to override it.
    """

    owner: type
    name: str
    parameters: tuple[str, ...]
    why: str


OVERRIDDEN: tuple[Overridden, ...] = (
    Overridden(
        CheckpointHook,
        '_save_checkpoint_with_step',
        ('self', 'runner', 'step', 'meta'),
        'AdaptationCheckpointHook deletes an old checkpoint only after the new one is complete',
    ),
    Overridden(
        OptimWrapper, '_clip_grad', ('self',), 'ModuleOptimWrapper leaves the norm of the gradients on the device'
    ),
    Overridden(PolyParamScheduler, '_get_value', ('self',), 'WarmupPolyLR computes the value from the step alone'),
    Overridden(
        Runner,
        '_maybe_compile',
        ('self', 'target'),
        'AdaptationRunner compiles the networks of an adaptor; mmengine would compile its training step',
    ),
    Overridden(
        BaseModule, '_dump_init_info', ('self',), 'BaseAdaptor does not log one line for each of its parameters'
    ),
)
"""Private methods that mmuda overrides. The other packages call them, so a function here cannot replace them."""


# mmengine: runners.

RUNNER_ARGUMENTS = frozenset(
    {
        'model',
        'work_dir',
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        'train_cfg',
        'val_cfg',
        'test_cfg',
        'auto_scale_lr',
        'optim_wrapper',
        'param_scheduler',
        'val_evaluator',
        'test_evaluator',
        'default_hooks',
        'custom_hooks',
        'data_preprocessor',
        'load_from',
        'resume',
        'launcher',
        'env_cfg',
        'log_processor',
        'log_level',
        'visualizer',
        'default_scope',
        'randomness',
        'experiment_name',
        'cfg',
    }
)
"""Arguments of :class:`mmengine.runner.Runner`, which are the top-level keys of a config that it reads."""


DEFAULT_HOOKS: Mapping[str, str] = {
    'runtime_info': 'RuntimeInfoHook',
    'timer': 'IterTimerHook',
    'sampler_seed': 'DistSamplerSeedHook',
    'logger': 'LoggerHook',
    'param_scheduler': 'ParamSchedulerHook',
    'checkpoint': 'CheckpointHook',
}
"""Hooks that ``Runner.register_default_hooks`` registers unless ``default_hooks`` of a config changes them."""


def set_timestamp(runner: Runner, timestamp: str) -> None:
    """Set the time stamp of a run, after which mmengine names the log folder, the experiment and the message hub.

    mmengine sets it in ``setup_env``, before these three are made. ``Runner.timestamp`` reads it.
    """
    runner._timestamp = timestamp


def has_loaded(runner: Runner) -> bool:
    """Return whether a checkpoint was loaded. If so, ``train``, ``val`` and ``test`` load none."""
    return runner._has_loaded


def mark_loaded(runner: Runner) -> None:
    """Record that a checkpoint was loaded, see :func:`has_loaded`."""
    runner._has_loaded = True


def resume_option(runner: Runner) -> bool | str:
    """Return the argument ``resume`` of a runner. In mmuda it can also be a path."""
    return runner._resume


def load_from_option(runner: Runner) -> str | None:
    """Return the argument ``load_from`` of a runner."""
    return runner._load_from


def is_training(runner: Runner) -> bool:
    """Return whether ``Runner.train`` was called, which replaces the config of the training loop by the loop.

    The public property ``Runner.train_loop`` would build the loop.
    """
    return isinstance(runner._train_loop, BaseLoop)


def built_loops(runner: Runner) -> list[BaseLoop]:
    """Return the loops of a runner that are built, in the order training, test, validation.

    ``Runner.train`` and ``Runner.test`` replace the config of a loop by the loop. The public properties would build it.
    """
    loops = (runner._train_loop, runner._test_loop, runner._val_loop)
    return [loop for loop in loops if isinstance(loop, BaseLoop)]


def configured_seed(runner: Runner) -> int | None:
    """Return the seed of the argument ``randomness``, or None. ``Runner.seed`` is then a random seed."""
    return runner._randomness_cfg.get('seed')


# mmengine: hooks.


def default_rule_keys() -> tuple[list[str], list[str]]:
    """Return parts of the names of scores for which greater is better, then of those for which less is better."""
    return CheckpointHook._default_greater_keys, CheckpointHook._default_less_keys


def kept_checkpoints(hook: CheckpointHook) -> Any:
    """Return the iterations of the checkpoints that a hook keeps for now and deletes later: a deque, oldest first.

    mmengine appends to it in ``_save_checkpoint_with_step``, and restores it from the entry ``keep_ckpt_ids`` of the
    message hub when a run is resumed. The attribute exists if ``max_keep_ckpts`` is positive.
    """
    return hook.keep_ckpt_ids


# mmengine: optimizer wrappers.


def count_iteration(wrapper: OptimWrapper) -> None:
    """Count one iteration. ``should_update`` and ``should_sync`` compare the count with ``accumulative_counts``.

    mmengine itself counts backward passes, in ``backward``.
    """
    wrapper._inner_count += 1


def accumulative_counts(wrapper: OptimWrapper) -> int:
    """Return the number of iterations whose gradients are accumulated for one step."""
    return wrapper._accumulative_counts


# mmengine: modules.


def records_init(module: nn.Module) -> bool:
    """Return whether a module records the origin of its weights, which ``update_init_info`` requires.

    ``BaseModule.init_weights`` starts the record in the outermost module and removes it at its end.
    """
    return hasattr(module, '_params_init_info')


# mmengine: log histories.

HISTORY_STATE = ('_log_history', '_count_history', 'max_length')
"""Attributes that a pickled :class:`mmengine.logging.HistoryBuffer` holds: two arrays (n,) and an integer."""


def history_state(buffer: HistoryBuffer) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the values (n,), their counts (n,) and the maximum length of a log history."""
    log, count = buffer.data
    return log, count, buffer.max_length


def make_history(log: np.ndarray, count: np.ndarray, max_length: int) -> HistoryBuffer:
    """Return the log history with a state from :func:`history_state`. The dtypes of its arrays are kept."""
    return HistoryBuffer(log, count, max_length)


# mmengine: loaders of checkpoints.


def checkpoint_loaders() -> Mapping[str, Callable]:
    """Return a copy of mmengine's table of loaders of checkpoints by the prefix of a path, such as ``https://``."""
    return dict(CheckpointLoader._schemes)


FINAL_LOADERS = ('load_from_local', 'load_from_http', '_safe_torch_load')
"""Functions of ``mmengine.runner.checkpoint`` that its loaders of all prefixes finally call, by these names.

``_safe_torch_load(file, map_location)`` calls :func:`torch.load`, and falls back to full unpickling.
"""


def replace_final_loaders(replacements: Mapping[str, Callable]) -> None:
    """Replace functions of :data:`FINAL_LOADERS`, for the whole process.

    Raises:
        KeyError: If a name is none of them.
    """
    for name, function in replacements.items():
        if name not in FINAL_LOADERS:
            raise KeyError(f'{name} is none of {", ".join(FINAL_LOADERS)}')
        setattr(mmengine_checkpoint, name, function)


def replace_state_dict_loader(function: Callable) -> None:
    """Replace ``load_state_dict(module, state_dict, strict, logger)`` of mmengine, for the whole process.

    All functions of mmengine look it up by this name, and so do ``init_model`` and ``MMSegInferencer`` of mmseg.
    """
    mmengine_checkpoint.load_state_dict = function


# mmengine: the log.

LONG_RECORDS = (
    '\n' + '-' * 60 + '\nSystem environment:',
    'Config:\n',
    'Hooks will be executed in the following order:\n',
    'Exp name: ',
    'Distributed training is not used, all SyncBatchNorm (SyncBN) layers in the model will be automatically reverted',
    'The prefix is not set in metric class ',
    '"FileClient" will be deprecated in future.',
    '"HardDiskBackend" is the alias of "LocalBackend"',
)
"""Beginnings of long or useless messages in the log of a runner, which the terminal does not show."""


# mmengine and mmseg: preprocessors.


def copy_without_waiting(preprocessor: BaseDataPreprocessor) -> None:
    """Make ``cast_data`` of a preprocessor copy to the GPU asynchronously, for which mmseg's has no argument."""
    preprocessor._non_blocking = True


def converts_channels(preprocessor: Any) -> bool | None:
    """Return whether a preprocessor of images exchanges red and blue; None if its class cannot do so."""
    return getattr(preprocessor, 'reverses_channels', getattr(preprocessor, '_channel_conversion', None))


# mmseg: heads.


def head_inputs(head: BaseDecodeHead, features: Sequence[Tensor]) -> Tensor | list[Tensor]:
    """Return the feature maps that ``in_index`` and ``input_transform`` of a head select from all feature maps."""
    return head._transform_inputs(features)


def has_usual_predict(head: nn.Module) -> bool:
    """Return whether ``head.predict`` is mmseg's: ``forward``, then upsampling to the size of the network's input."""
    return getattr(type(head), 'predict', None) is BaseDecodeHead.predict


# PyTorch: modules and tensors.

BatchNorm = _BatchNorm
"""Base class of all batch-norm layers (1d, 2d, 3d, synchronised, lazy), which has no public name in PyTorch."""

SYNC_BUFFERS = next(
    name
    for name in ('forward_sync_buffers', 'broadcast_buffers')
    if name in inspect.signature(DistributedDataParallel.__init__).parameters
)
"""Option of DistributedDataParallel that copies the buffers of rank 0 to all ranks. PyTorch 2.13 has renamed it."""


def syncs_gradients(module: nn.Module) -> bool:
    """Return whether a module is a DistributedDataParallel that averages the gradients of its next backward pass."""
    return getattr(module, 'require_backward_grad_sync', False)


def set_gradient_sync(module: nn.Module, sync: bool) -> None:
    """Switch the averaging of gradients of a DistributedDataParallel on or off, see :func:`syncs_gradients`.

    Its ``no_sync()`` sets the same attribute.
    """
    module.require_backward_grad_sync = sync  # type: ignore[assignment]


def version_of(tensor: Tensor) -> int:
    """Return a counter that every change of a tensor in place increases."""
    return tensor._version


def add_each(tensors: list[Tensor], others: list[Tensor], alpha: float = 1.0) -> list[Tensor]:
    """Return the tensors of one list plus ``alpha`` times the tensors of another, in few kernels."""
    return list(torch._foreach_add(tensors, others, alpha=alpha))


def add_each_(tensors: list[Tensor], others: list[Tensor], alpha: float = 1.0) -> None:
    """Add ``alpha`` times the tensors of one list to those of another, in place, in few kernels."""
    torch._foreach_add_(tensors, others, alpha=alpha)


def copy_each_(tensors: list[Tensor], others: list[Tensor]) -> None:
    """Copy the tensors of one list into those of another, in few kernels."""
    if tensors:
        torch._foreach_copy_(tensors, others)


def multiply_each_(tensors: list[Tensor], factor: float) -> None:
    """Multiply all tensors of a list by one number, in place, in few kernels."""
    torch._foreach_mul_(tensors, factor)


# PyTorch: processes.


def is_timeout(error: BaseException) -> bool:
    """Return whether the message of an error says that a process of the group did not respond in time."""
    return bool(re.search(r'Timed out waiting|collective operation timeout', str(error)))


# PyTorch: files.

ARCHIVE_PICKLE, TORCHSCRIPT_PICKLE = 'data.pkl', 'constants.pkl'
"""Members of the zip archives that ``torch.save`` writes (the first) and ``torch.jit.save`` writes (both)."""

LEGACY_MAGIC = b'\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19'
"""Number at the beginning of files of PyTorch before 1.6, as pickle writes it."""

STATE_DICT_ATTRIBUTES = frozenset({'_metadata'})
"""Attributes of the OrderedDict from ``Module.state_dict``: the versions of modules, for ``load_state_dict``."""

FORCE_WEIGHTS_ONLY = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
"""Environment variable with which :func:`torch.load` reads weights only, whatever the arguments are."""


def safe_name(thing: Any) -> str:
    """Return the name by which files refer to a class or function that PyTorch's reader of weights allows."""
    return thing[1] if isinstance(thing, tuple) else f'{thing.__module__}.{thing.__qualname__}'


def refused_global(message: str) -> str | None:
    """Return the class or function in a file that PyTorch's reader of weights refused, from the text of its error."""
    found = re.search(r'(?:Unsupported (?:global: GLOBAL|class)|GLOBAL) (\S+)', message)
    return found and found[1]


def refusal(message: str) -> str:
    """Return the reason in an error of PyTorch's reader of weights, without its advice to trust the file."""
    return re.split(r'\n|\. ', message.rpartition('WeightsUnpickler error: ')[2].strip())[0]


def names_weights_only(error: Exception) -> bool:
    """Return whether an error says that a format (one before PyTorch 1.0) cannot be read with ``weights_only=True``."""
    return 'weights_only' in str(error)
