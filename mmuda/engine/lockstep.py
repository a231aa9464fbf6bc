"""Forward passes of several batches that wait for each other before every layer."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from .batch_norm_order import hooked

Take = Callable[[str, Any, Sequence[Tensor]], None]


class DifferentOrderError(RuntimeError):
    """Error about batches that go through the layers of a network in different orders."""


def forward_in_lockstep(model: Any, layers: Mapping[str, nn.Module], batches: Sequence[dict], take: Take) -> None:
    """Forward several batches at the same time. Before each layer, all batches wait until the last one has reached it.

    So a layer can get statistics of all batches before it processes the first one, even if their images differ in size
    and cannot form one batch. Each batch has a thread of its own. The network must store nothing in a forward pass.

    Args:
        model: Model in eval mode with ``test_step``.
        layers: Layers to wait at, by name.
        batches: Collated test batches.
        take: Function that is called once for each layer that the batches have reached, with its name, the layer and
            its inputs (N, C, ...), in the order of the batches.

    Raises:
        DifferentOrderError: If the batches do not go through the layers in the same order.
    """
    reached: list[tuple[str, Any]] = [('', None)] * len(batches)
    own = threading.local()

    def meet() -> None:
        names = list(dict.fromkeys(name for name, _ in reached))
        if len(names) > 1:
            raise DifferentOrderError(f'batches go through {names[0] or "the end"} and {names[1] or "the end"} at once')
        if names[0]:
            take(names[0], layers[names[0]], [inputs for _, inputs in reached])

    barrier = threading.Barrier(len(batches), action=meet)

    def wait(name: str, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        reached[own.number] = name, inputs[0]
        barrier.wait()

    def forward(number: int) -> None:
        own.number = number
        try:
            # Each thread has its own grad mode and its own current device.
            with torch.no_grad(), nullcontext() if device is None else torch.cuda.device(device):
                model.test_step(batches[number])
            reached[number] = '', None
            barrier.wait()
        except BaseException:
            barrier.abort()  # the others would wait forever
            raise

    device = torch.cuda.current_device() if torch.cuda.is_available() else None
    with hooked(layers, wait), ThreadPoolExecutor(len(batches)) as pool:
        futures = [pool.submit(forward, number) for number in range(len(batches))]
        try:
            errors = [future.exception() for future in futures]
        except BaseException:
            barrier.abort()  # Ctrl-C ends the threads before their next layer
            raise
    found = [error for error in errors if error is not None]
    causes = [error for error in found if not isinstance(error, threading.BrokenBarrierError)]
    if found:
        raise (causes or found)[0]
