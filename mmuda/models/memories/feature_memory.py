"""Rings of remembered feature vectors, one for each class."""

import torch
from torch import Tensor, nn


class FeatureMemory(nn.Module):
    """The latest vectors of each class, first in, first out (SIM, Wang et al., CVPR 2020).

    Vectors are as the network made them when they were written. State is in buffers: saved and resumed.

    Args:
        num_classes: R rings.
        slots: Vectors in a ring.
        channels: C.
    """

    def __init__(self, num_classes: int, slots: int, channels: int) -> None:
        super().__init__()
        self.register_buffer('entries', torch.zeros(num_classes, slots, channels))
        self.register_buffer('count', torch.zeros(num_classes, dtype=torch.int64))

    @property
    def slots(self) -> int:
        """Vectors in a ring."""
        return self.entries.shape[1]

    @property
    def started(self) -> Tensor:
        """(R,) bool: rings that were written to *more* often than they have slots, as the original counts."""
        return self.count > self.slots

    @torch.no_grad()
    def write(self, vectors: Tensor, accepted: Tensor) -> None:
        """Write some vectors of every class, in their order. The device decides which, without waiting for the host.

        Args:
            vectors: (R, q, C), q at most the number of slots.
            accepted: (R, q) bool.

        Raises:
            ValueError: If there are more vectors than slots.
        """
        if vectors.shape[1] > self.slots:
            raise ValueError(f'{vectors.shape[1]} vectors of a class at once do not fit into {self.slots} slots')
        written = accepted.sum(dim=1, keepdim=True)
        # Others get places behind those that are written, where they leave what is there.
        place = torch.where(accepted, accepted.cumsum(dim=1) - 1, written + (~accepted).cumsum(dim=1) - 1)
        place = ((self.count[:, None] + place) % self.slots)[..., None].expand_as(vectors)
        kept = self.entries.gather(1, place)
        self.entries.scatter_(1, place, torch.where(accepted[..., None], vectors.to(kept.dtype), kept))
        self.count += written[:, 0]

    def distance(self, vectors: Tensor) -> Tensor:
        r"""Mean absolute difference to the nearest entry of the class, :math:`\min_j \frac1C \|v - m_{rj}\|_1`.

        Args:
            vectors: (R, q, C); gradients flow into them.

        Returns:
            (R, q).
        """
        with torch.autocast(vectors.device.type, enabled=False):
            vectors, entries = vectors.float(), self.entries.float()
            with torch.no_grad():
                nearest = torch.cdist(vectors, entries, p=1).argmin(dim=2)
                nearest = entries.gather(1, nearest[..., None].expand_as(vectors))
            return (vectors - nearest).abs().mean(dim=2)
