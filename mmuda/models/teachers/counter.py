"""A counter that is saved in checkpoints and that training reads without a sync with the device."""

from typing import Any

import torch
from torch import Tensor, nn

from mmuda.internals import version_of


class Counter(nn.Module):
    """An integer in a buffer, so that it is saved and resumed.

    Its value is read from the device once. Later reads return the count of this process, which is kept on the host too.
    The device is read again only if something else, such as loading a checkpoint, wrote into the buffer.
    """

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('value', torch.zeros((), dtype=torch.int64))
        self._number = 0
        self._state: tuple[Any, int] | None = None

    def read(self) -> int:
        """Return the number."""
        if self._state is None or self._state[0] is not self.value or self._state[1] != version_of(self.value):
            self._number = int(self.value)
            self._state = (self.value, version_of(self.value))
        return self._number

    def advance(self) -> None:
        """Increase the number by one."""
        number = self.read() + 1
        self.value.fill_(number)
        self._number, self._state = number, (self.value, version_of(self.value))
