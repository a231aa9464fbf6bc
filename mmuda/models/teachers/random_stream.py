"""Random numbers of a method: the same after a resume, and different in each process."""

import zlib

import numpy as np
import torch
from mmengine.dist import get_rank
from torch import Tensor, nn

from .counter import Counter


class RandomStream(nn.Module):
    """A generator that is seeded again in every iteration, with (seed of the run, name, rank, number of the iteration).

    The state in a checkpoint is therefore one number, the same for all processes, and a resumed run draws the same
    numbers as a run without interruption. The numbers are drawn on the CPU. So decisions (whether an image is blurred)
    need no sync with the device, and training on a CPU and on a GPU draws the same numbers. :func:`to_device` copies
    numbers that are needed on the device.

    Args:
        name: Name of the stream. Streams with different names are independent. Each part of a method that draws random
            numbers should have its own stream.
        seed: Seed of the run. By default the seed of PyTorch's generator at the first draw, which is the runner's
            ``randomness.seed``, whether the config sets it, the runner chose it or a checkpoint restored it.

    Attributes:
        generator: The generator of the current iteration.
    """

    without_weights = 'starts with the seed of the run'
    """Start after a checkpoint without the stream, for the log of :func:`mmuda.checkpoints.load_weights`."""

    def __init__(self, name: str, seed: int | None = None) -> None:
        super().__init__()
        self.iterations = Counter()
        self.name = name
        self._seed = seed
        self.generator = torch.Generator()

    def advance(self) -> torch.Generator:
        """Seed the generator for the next iteration and return it."""
        if self._seed is None:
            self._seed = torch.initial_seed()
        keys = [self._seed % 2**64, zlib.crc32(self.name.encode()), get_rank(), self.iterations.read()]
        self.generator.manual_seed(int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0]))
        self.iterations.advance()
        return self.generator


def to_device(drawn: Tensor, device: torch.device) -> Tensor:
    """Copy random numbers from the CPU to a device without a sync."""
    if device.type == 'cuda':
        drawn = drawn.pin_memory()  # only copies from pinned memory are asynchronous
    return drawn.to(device, non_blocking=True)


def uniform(generator: torch.Generator, low: float, high: float, count: int) -> Tensor:
    """Return float32 numbers (count,) in [low, high), on the CPU."""
    bounds = torch.tensor([low, high])
    return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(count, generator=generator)
