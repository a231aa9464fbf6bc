"""Recording of the images and maps of a training iteration, for pictures."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..labels import labels_of
from ..segmentors import SegOutputs


class Showing:
    """The part of an adaptor that records images, labels and maps of an iteration.

    Nothing is recorded while :attr:`shown` is None. ``TrainingPictureHook`` sets it to an empty dict before an
    iteration. Afterwards the dict has, by name:

    - normalised images, (N, 3, H, W), whose names end with ``' image'``;
    - label maps, (N, H, W) of an integer type;
    - maps of numbers, (N, h, w) or (N, 1, h, w) of a floating type;
    - predictions, :class:`SegOutputs` without features.
    """

    shown: dict[str, Any] | None = None

    def show(self, name: str, value: Tensor | SegOutputs | Callable[[], Tensor]) -> None:
        """Record a map of this iteration. Without a hook that records, this does nothing.

        Args:
            name: Caption in the picture. Its first word selects the row.
            value: One of the values listed in :class:`Showing`, or a function that returns it. The function is called
                only if maps are recorded.
        """
        if self.shown is None:
            return
        found = value() if callable(value) else value
        if isinstance(found, SegOutputs):
            found = found.detach(features=False)
        elif found.requires_grad:
            found = found.detach()
        self.shown[name] = found

    def show_batch(self, domain: str, batch: dict) -> None:
        """Record the images of a domain, and their labels if there are any."""
        if self.shown is not None:
            self.show(f'{domain} image', batch['inputs'])
            if 'gt_sem_seg' in batch['data_samples'][0]:
                self.show(f'{domain} label', labels_of(batch))

    def show_pass(self, inputs: Tensor, outputs: SegOutputs) -> None:
        """Record the predictions for images, under the name of the images.

        Images that are not recorded yet are recorded as ``'pass <number> image'``.
        """
        if self.shown is None:
            return
        known = [name for name, value in self.shown.items() if value is inputs and name.endswith(' image')]
        if not known:
            known = [f'pass {sum(isinstance(value, SegOutputs) for value in self.shown.values()) + 1} image']
            self.show(known[0], inputs)
        self.show(known[0].removesuffix(' image') + ' prediction', outputs)
