"""Random states travel with checkpoints, and nothing beside training touches them."""

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
    """Makes a resumed run equal to one that was never interrupted.

    - Each checkpoint holds the random states of every rank (Python, NumPy, PyTorch, CUDA).
    - They are restored right before the first iteration after a resume: building a data loader draws numbers too.
    - Validation runs between two iterations of the interrupted run but not again in the resumed one, so the states are
      put back after it.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._to_restore: dict | None = None
        self._before_val: dict | None = None
        self._gathered: list[dict] = []

    def before_gather_checkpoint(self, runner: Runner) -> None:
        """Collect the states of all ranks."""
        # The best checkpoint is written while validation is still going on.
        self._gathered = all_gather_object(self._before_val or random_state())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put them into the file."""
        checkpoint['random_states'] = self._gathered

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the state of this rank if training is resumed."""
        states = checkpoint.get('random_states', [])
        self._to_restore = states[get_rank()] if get_rank() < len(states) else None

    def before_train(self, runner: Runner) -> None:
        """Weights that were only loaded, not resumed, bring no random state along."""
        if runner.iter == 0:
            self._to_restore = None

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Restore once, after the data loader has started."""
        if self._to_restore is not None:
            set_random_state(self._to_restore)
            self._to_restore = None

    def before_val(self, runner: Runner) -> None:
        """Keep the states of training; right after a resume, those that its first iteration will have."""
        self._before_val = self._to_restore or random_state()

    def after_val(self, runner: Runner) -> None:
        """Put them back."""
        if self._before_val is not None:
            set_random_state(self._before_val)
            self._before_val = None


def random_state() -> dict:
    """The states of all generators of this process, as tensors and plain values only."""
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
    """Undo everything drawn since :func:`random_state`.

    Raises:
        ValueError: If the state cannot be one of NumPy, which would believe it and read beside its memory.
    """
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state['numpy']
    position = rest[0] if rest else None
    if name != 'MT19937' or keys.shape != (624,) or type(position) is not int or not 0 <= position <= 624:
        raise ValueError(
            f'the checkpoint has a damaged random state ({name!r}, {tuple(keys.shape)}, position {position}): resume '
            'from another one, or start anew from its weights with load_from'
        )
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'])
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'])
