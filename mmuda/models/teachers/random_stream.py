"""Random numbers of a method that are the same after a resume, and others on every process."""

import zlib

import numpy as np
import torch
from mmengine.dist import get_rank
from torch import Tensor, nn

from .counter import Counter


class RandomStream(nn.Module):
    """A generator that starts anew in every iteration, from (seed of the run, name, rank, number of the iteration).

    The state of a checkpoint is therefore one number, the same for all processes, and a resumed run draws what the
    interrupted one would have drawn. The numbers are drawn on the CPU: those that decide what is computed (whether an
    image is blurred) need no wait for the device, and CPU and GPU train alike. Few are needed, see :func:`to_device`.

    Args:
        name: Streams of other names are independent; give each part of a method that draws its own.
        seed: Seed of the run. By default that of PyTorch's generator at the first draw: the runner's
            ``randomness.seed``, also one that it chose itself and restored with a checkpoint.

    Attributes:
        generator: The generator of the current iteration.
    """

    def __init__(self, name: str, seed: int | None = None) -> None:
        super().__init__()
        self.iterations = Counter()
        self.name = name
        self._seed = seed
        self.generator = torch.Generator()

    def advance(self) -> torch.Generator:
        """Go to the next iteration and return its generator."""
        if self._seed is None:
            self._seed = torch.initial_seed()
        keys = [self._seed % 2**64, zlib.crc32(self.name.encode()), get_rank(), self.iterations.read()]
        self.generator.manual_seed(int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0]))
        self.iterations.advance()
        return self.generator


def to_device(drawn: Tensor, device: torch.device) -> Tensor:
    """Copy drawn numbers from the CPU to a device without waiting for it."""
    if device.type == 'cuda':
        drawn = drawn.pin_memory()  # a copy from other memory is not asynchronous
    return drawn.to(device, non_blocking=True)


def uniform(generator: torch.Generator, low: float, high: float, count: int) -> Tensor:
    """Return float32 numbers (count,) in [low, high), on the CPU."""
    bounds = torch.tensor([low, high])
    return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(count, generator=generator)
