"""Ring buffers of feature vectors, one for each class."""

import torch
from torch import Tensor, nn


class FeatureMemory(nn.Module):
    """The latest vectors of each class, first in, first out (SIM, Wang et al., CVPR 2020).

    Stored vectors are not updated when the network changes. State is in buffers, so it is saved and resumed.

    Args:
        num_classes: Number of classes R. Each has a ring buffer.
        slots: Number of vectors in a ring buffer.
        channels: Number of channels C of a vector.
    """

    entries: Tensor
    count: Tensor

    def __init__(self, num_classes: int, slots: int, channels: int) -> None:
        super().__init__()
        self.register_buffer('entries', torch.zeros(num_classes, slots, channels))
        self.register_buffer('count', torch.zeros(num_classes, dtype=torch.int64))

    @property
    def slots(self) -> int:
        """Number of vectors in a ring buffer."""
        return self.entries.shape[1]

    @property
    def started(self) -> Tensor:
        """Whether *more* vectors of a class were written than it has slots, as in the original; (R,) bool."""
        return self.count > self.slots

    @torch.no_grad()
    def write(self, vectors: Tensor, accepted: Tensor) -> None:
        """Write the accepted vectors of every class, in order, without a sync with the device.

        Args:
            vectors: (R, q, C), where q is at most the number of slots.
            accepted: Mask of the vectors to write, (R, q) bool.

        Raises:
            ValueError: If there are more vectors than slots.
        """
        if vectors.shape[1] > self.slots:
            raise ValueError(f'{vectors.shape[1]} vectors of a class at once do not fit into {self.slots} slots')
        written = accepted.sum(dim=1, keepdim=True)
        # Rejected vectors get the slots after the written ones, where the present values are written again.
        place = torch.where(accepted, accepted.cumsum(dim=1) - 1, written + (~accepted).cumsum(dim=1) - 1)
        place = ((self.count[:, None] + place) % self.slots)[..., None].expand_as(vectors)
        kept = self.entries.gather(1, place)
        self.entries.scatter_(1, place, torch.where(accepted[..., None], vectors.to(kept.dtype), kept))
        self.count += written[:, 0]

    def distance(self, vectors: Tensor) -> Tensor:
        r"""Return the mean absolute difference to the nearest stored vector, :math:`\min_j \|v - m_{rj}\|_1 / C`.

        Args:
            vectors: Vectors of each class, (R, q, C); gradients flow into them.

        Returns:
            (R, q) float32.
        """
        with torch.autocast(vectors.device.type, enabled=False):
            vectors, entries = vectors.float(), self.entries.float()
            with torch.no_grad():
                nearest = torch.cdist(vectors, entries, p=1).argmin(dim=2)
                nearest = entries.gather(1, nearest[..., None].expand_as(vectors))
            return (vectors - nearest).abs().mean(dim=2)
