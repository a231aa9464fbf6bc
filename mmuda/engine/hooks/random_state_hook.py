"""The random states of a training: stored in checkpoints, and restored after validations."""

import random

import numpy as np
import torch
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Hook that makes the result of a resumed run equal to that of an uninterrupted run.

    - Each checkpoint holds the random states of every process (Python, NumPy, PyTorch, CUDA).
    - They are restored right before the first iteration after a resume, because building a data loader draws random
      numbers, too.
    - A resumed run does not repeat the validations before its checkpoint. So a validation must not change the states:
      those before it are restored after it.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._to_restore: dict | None = None
        self._before_val: dict | None = None
        self._gathered: list[dict] = []

    def before_gather_checkpoint(self, runner: Runner) -> None:
        """Collect the states of all processes."""
        # The best checkpoint is written within a validation, before the states of the training are restored.
        self._gathered = all_gather_object(self._before_val or random_state())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the states to the checkpoint."""
        checkpoint['random_states'] = self._gathered

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state of this process for a resumed training."""
        states = checkpoint.get('random_states', [])
        self._to_restore = states[get_rank()] if get_rank() < len(states) else None

    def before_train(self, runner: Runner) -> None:
        """Drop the state of a checkpoint that was only loaded, not resumed."""
        if runner.iter == 0:
            self._to_restore = None

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Restore the state once, after the data loader has started."""
        if self._to_restore is not None:
            set_random_state(self._to_restore)
            self._to_restore = None

    def before_val(self, runner: Runner) -> None:
        """Keep the state of the training; right after a resume, the state for its first iteration."""
        self._before_val = self._to_restore or random_state()

    def after_val(self, runner: Runner) -> None:
        """Restore the state of the training."""
        if self._before_val is not None:
            set_random_state(self._before_val)
            self._before_val = None


def random_state() -> dict:
    """Return the states of the generators of this process, as tensors and plain values only."""
    numpy_state = np.random.get_state(legacy=True)
    assert isinstance(numpy_state, tuple)
    state: dict = dict(
        python=random.getstate(),
        numpy=(numpy_state[0], torch.from_numpy(numpy_state[1].astype(np.int64)), *numpy_state[2:]),
        torch=torch.get_rng_state(),
    )
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict) -> None:
    """Restore states that :func:`random_state` returned.

    Raises:
        ValueError: If the stored state of NumPy is malformed. NumPy does not check it and would read out of bounds.
    """
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state['numpy']
    position = rest[0] if rest else None
    if name != 'MT19937' or keys.shape != (624,) or type(position) is not int or not 0 <= position <= 624:
        raise ValueError(
            f'the checkpoint has a damaged random state ({name!r}, {tuple(keys.shape)}, position {position}): resume '
            'from another one, or start a new training from its weights with load_from'
        )
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'])
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'])
