"""Record the maps of a training iteration, for pictures."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..labels import labels_of
from ..segmentors import SegOutputs


class Showing:
    """The part of an adaptor that records images, labels and maps of an iteration.

    :attr:`shown` is None, and nothing is kept, unless a caller (``TrainingPictureHook``) sets it to an empty dict
    before the iteration. Then it holds, by name:

    - images, (N, 3, H, W), normalised, whose names end with ``' image'``;
    - labels, (N, H, W) of an integer type;
    - maps of numbers, (N, h, w) or (N, 1, h, w) of a float type;
    - predictions, :class:`SegOutputs` without features.
    """

    shown: dict[str, Any] | None = None

    def show(self, name: str, value: Tensor | SegOutputs | Callable[[], Tensor]) -> None:
        """Record a map of this iteration; does nothing if :attr:`shown` is None.

        Args:
            name: Caption; its first word is the row of the picture.
            value: See :class:`Showing`; or a function that returns it, called only if maps are recorded.
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
        """Show the images of a domain, and their labels if there are any."""
        if self.shown is not None:
            self.show(f'{domain} image', batch['inputs'])
            if 'gt_sem_seg' in batch['data_samples'][0]:
                self.show(f'{domain} label', labels_of(batch))

    def show_pass(self, inputs: Tensor, outputs: SegOutputs) -> None:
        """Show the predictions for images; they are named after the images if these are shown."""
        if self.shown is None:
            return
        known = [name for name, value in self.shown.items() if value is inputs and name.endswith(' image')]
        if not known:
            known = [f'pass {sum(isinstance(value, SegOutputs) for value in self.shown.values()) + 1} image']
            self.show(known[0], inputs)
        self.show(known[0].removesuffix(' image') + ' prediction', outputs)
