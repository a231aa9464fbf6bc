"""Random numbers of transforms. Tests can replace them by stored numbers."""

from typing import Protocol

import numpy as np


class Draws(Protocol):
    """Source of random numbers."""

    def integer(self, low: int, high: int) -> int:
        """Return one of the integers low, low + 1, ..., high - 1."""
        ...

    def fraction(self, high: float) -> float:
        """Return a number in [0, high)."""
        ...


class NumPyDraws:
    """Random numbers of NumPy's global generator, which pairs and unions of domains seed for every item."""

    def integer(self, low: int, high: int) -> int:
        """Return one of the integers low, low + 1, ..., high - 1."""
        return int(np.random.randint(low, high))

    def fraction(self, high: float) -> float:
        """Return a number in [0, high)."""
        return float(np.random.uniform(0, high))
