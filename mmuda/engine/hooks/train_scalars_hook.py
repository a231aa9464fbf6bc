"""The losses of a training, which stay on the device until they are logged."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from mmuda.checkpoints.latest import latest_checkpoint
from mmuda.constants import TARGET_LABELLED
from mmuda.settings import shortened

from ..rescheduling import optim_wrappers

WITHOUT_LOGGER = 50
MOST = 1000
"""Iterations after which values are read in any case."""
HISTORY = 10_000
"""Number of values that are kept of a scalar. mmengine keeps a million, and copies all of them in each iteration."""


@HOOKS.register_module()
class TrainScalarsHook(RuntimeInfoHook):
    """mmengine's :class:`RuntimeInfoHook` that reads losses once in ``interval`` iterations, not in each iteration.

    Reading a scalar waits for the GPU. So losses are kept on the device. At each interval they are read in one
    transfer, and their means over the interval are passed to the message hub. The message hub keeps the last
    :data:`HISTORY` values of each scalar of the training, or all values if the log processor has a longer window.

    Args:
        interval: Iterations between two readings. None takes the interval of the logger. With another interval, the
            logger would log a mean twice or miss one.

    Raises:
        FloatingPointError: From the training loop, if a loss was NaN or infinite. The message has the first such
            iteration and its images. With a loss scaler (float16), which skips single overflows, only if a loss was
            never finite in the interval.
    """

    def __init__(self, interval: int | None = None) -> None:
        self.wanted, self.interval = interval, interval or WITHOUT_LOGGER
        # For each iteration since the last reading: its number, names and values (K,) of losses, and images.
        self._kept: list[tuple[int, tuple[str, ...], Tensor, list[str]]] = []
        self._sums: dict[str, tuple[float, int]] = {}
        self._bounded = False

    def before_train(self, runner: Runner) -> None:
        """Look up the interval of the logger and the windows of its means."""
        super().before_train(runner)
        processor = runner.log_processor
        windows = [processor.window_size, *(one.get('window_size', 0) for one in processor.custom_cfg)]
        self._bounded = all(isinstance(window, int) and window <= HISTORY for window in windows)
        if self.wanted is None:
            loggers = (hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook))
            self.interval = next(loggers, WITHOUT_LOGGER)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Keep the values on the device; read them at the interval and after the last iteration."""
        if outputs:
            device = next((value.device for value in outputs.values() if isinstance(value, Tensor)), 'cpu')
            values = torch.stack([torch.as_tensor(value, device=device).detach().float() for value in outputs.values()])
            self._kept.append((runner.iter + 1, tuple(outputs), values, list(_images(data_batch))))
        if self.every_n_inner_iters(batch_idx, self.interval) or runner.iter + 1 >= runner.max_iters:
            self.flush(runner)
        elif len(self._kept) >= MOST:
            self._read(runner)

    def before_gather_checkpoint(self, runner: Runner) -> None:
        """Write all values before a checkpoint is saved, so that its log history is complete."""
        self.flush(runner)

    def flush(self, runner: Runner) -> None:
        """Pass the means since the last flush to the message hub."""
        self._read(runner)
        sums, self._sums = self._sums, {}
        for name, (total, count) in sums.items():
            runner.message_hub.update_scalar(f'train/{name}', total / count)
        if self._bounded:
            for name, history in runner.message_hub.log_scalars.items():
                if name.startswith('train/'):
                    history.max_length = min(history.max_length, HISTORY)

    def _read(self, runner: Runner) -> None:
        """Read the kept values, and add them to the sums."""
        kept, self._kept = self._kept, []
        if not kept:
            return
        numbers = torch.cat([values for _, _, values, _ in kept]).double().cpu()  # the one transfer
        finite = numbers.isfinite().tolist()
        flat = iter(zip(numbers.tolist(), finite, strict=True))
        bad: dict[str, list[int]] = {}
        good: dict[str, int] = {}
        for place, (_, names, _, _) in enumerate(kept):
            for name, (value, sound) in zip(names, flat, strict=False):  # the rest belongs to later iterations
                if sound:
                    total, count = self._sums.get(name, (0.0, 0))
                    self._sums[name] = total + value, count + 1
                    good[name] = good.get(name, 0) + 1
                else:
                    bad.setdefault(name, []).append(place)
        scaled = any(getattr(wrapper, 'scaler', None) is not None for wrapper in optim_wrappers(runner))
        if scaled:
            bad = {name: places for name, places in bad.items() if name not in good}
        if bad:
            first = min(places[0] for places in bad.values())
            raise FloatingPointError(_report(runner, sorted(bad), kept[first][0], kept[first][3]))


def _report(runner: Runner, losses: list[str], iteration: int, images: list[str]) -> str:
    told = ''.join(f'\n  {image}' for image in shortened(images, 8))
    checkpoint = latest_checkpoint(runner.work_dir)
    last = f'The last good checkpoint is {checkpoint}' if checkpoint else 'There is no checkpoint yet'
    return (
        f'{", ".join(losses)} became NaN or infinite in iteration {iteration}: lower the learning rate or the loss '
        f'weights, or clip gradients (optim_wrapper.segmentor.clip_grad). {last}. '
        f'The images of that iteration:{told or " unknown"}'
    )


def _images(batch: Any) -> Iterator[str]:
    """Yield the image files of a batch of one or both domains."""
    if not isinstance(batch, Mapping):
        return
    for sample in batch.get('data_samples') or ():
        path = getattr(sample, 'img_path', None)
        if path is not None:
            yield str(path)
    for side in ('source', 'target', TARGET_LABELLED):
        yield from _images(batch.get(side))
