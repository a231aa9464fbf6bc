"""TrainingPictureHook: pictures of training iterations."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmuda.internals import converts_channels
from mmuda.models.data_preprocessor import pixel_statistics
from mmuda.ranks import is_main_process, unwrap

from .training_pictures import arrange, training_pictures


@HOOKS.register_module()
class TrainingPictureHook(Hook):
    """Hook that draws every ``interval``-th training iteration and gives the pictures to the visualizer.

    A picture has the images of both domains as the network gets them, with labels, predictions and entropies, and all
    maps that the adaptor records with :meth:`BaseAdaptor.show`: pseudo labels, mixed images with labels and weights,
    scores of discriminators. The main process draws the first images of its batch, with one transfer from the device.
    Other iterations cost nothing. The hook has no effect on networks that are no adaptors.

    Args:
        interval: Number of iterations between two pictures.
        images: Number of images of a batch to draw, one picture for each.
        height: Height of each map in the picture, in pixels.

    Raises:
        ValueError: If a number is not positive.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 1000, images: int = 1, height: int = 192) -> None:
        if min(interval, images, height) < 1:
            raise ValueError(
                f'TrainingPictureHook: interval={interval}, images={images} and height={height} must be positive'
            )
        self.interval, self.images, self.height = interval, images, height

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Switch on the recording of maps for this iteration."""
        adaptor: Any = unwrap(runner.model)
        if is_main_process() and hasattr(adaptor, 'shown') and (runner.iter + 1) % self.interval == 0:
            adaptor.shown = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Draw the recorded maps."""
        adaptor: Any = unwrap(runner.model)
        shown = getattr(adaptor, 'shown', None)
        if shown is None:
            return
        adaptor.shown = None
        preprocessor: Any = adaptor.data_preprocessor
        found = training_pictures(
            shown,
            self.images,
            *pixel_statistics(preprocessor, 'target'),
            bgr=not converts_channels(preprocessor),
            palette=runner.train_dataloader.dataset.metainfo['palette'],
        )
        for place, pictures in enumerate(found):
            runner.visualizer.add_image(f'train_{place}', arrange(pictures, self.height), step=runner.iter + 1)
