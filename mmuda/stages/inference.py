"""The base of stages that predict images with a trained network."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset
from torch import Tensor

from mmuda.datasets import build_dataset
from mmuda.engine.kept_values import KeptValues
from mmuda.engine.probabilities import AT, class_probabilities, inference_dataset
from mmuda.settings import settings_digest

from .base import Stage
from .context import StageContext
from .references import stage_of


class ImageSet:
    """All images of a data set, or the ones in a list.

    Args:
        dataset: Data set with a test pipeline.
        keep: Text file with one image path per line; None keeps all images.

    Raises:
        ValueError: If the list names an image that the data set does not have.
    """

    def __init__(self, dataset: BaseSegDataset, keep: Path | None = None) -> None:
        self.dataset = dataset
        paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
        self.indices = list(range(len(paths))) if keep is None else _places(keep, paths)
        self.paths: list[str] = [paths[i] for i in self.indices]
        self.classes: Sequence[str] = dataset.metainfo['classes']
        self.palette: Sequence[Sequence[int]] | None = dataset.metainfo.get('palette')

    def size(self, at: str) -> tuple[int, int]:
        """Return (H, W) of the probabilities of the first image; for ``at`` see :class:`InferenceStage`."""
        sample = self.dataset[self.indices[0]]['data_samples']
        height, width = (sample.ori_shape if at == 'image' else sample.img_shape)[:2]
        return height, width


class InferenceStage(Stage):
    """Base of stages that predict images with a trained network.

    Args:
        name: See :class:`Stage`.
        weights: Network: ``'{stage}'`` of an earlier training, or a checkpoint file.
        dataset: Config of the images; by default the target images of the config with its test pipeline.
        pipeline: Pipeline for the target images of the config, instead of its test pipeline.
        images: Text file of image paths to keep, such as ``'{rank}/easy.txt'``.
        at: Resolution of probabilities: ``'image'``, ``'input'`` or ``'input_soft'``, see :func:`class_probabilities`.
        flip: Average with the probabilities of the mirrored image.
        batch_size: Images in one forward pass.
        num_workers: Processes that read images.

    Raises:
        ValueError: For an unknown ``at``.
    """

    weights: str

    def __init__(
        self,
        name: str,
        weights: str,
        dataset: dict | None = None,
        pipeline: Sequence[dict] | None = None,
        images: str | None = None,
        at: str = 'image',
        flip: bool = False,
        batch_size: int = 1,
        num_workers: int = 0,
    ) -> None:
        super().__init__(name)
        if at not in AT:
            raise ValueError(f'stage {name!r}: at is {at!r}, expected one of {AT}')
        self.weights, self.dataset, self.pipeline, self.images, self.at = weights, dataset, pipeline, images, at
        self.flip, self.batch_size, self.num_workers = flip, batch_size, num_workers

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return the network, the images and the options of the prediction."""
        return dict(
            weights=self.weights,
            model=ctx.network_config(self.weights).model,
            dataset=self._dataset(ctx),
            images=self.images,
            at=self.at,
            flip=self.flip,
        )

    def inputs(self, ctx: StageContext) -> set[str]:
        """Return also the file with the list of images."""
        return super().inputs(ctx) | outside_files(self.images)

    def load_images(self, ctx: StageContext) -> ImageSet:
        """Return the images of this stage."""
        keep = ctx.resolve(self.images)
        return ImageSet(build_dataset(ctx.resolve(self._dataset(ctx))), None if keep is None else Path(keep))

    def probabilities(
        self, ctx: StageContext, images: ImageSet, keep_in: Path | None = None
    ) -> Callable[..., Iterator[Tensor]]:
        """Load the network, and return a function from places (indices in ``images.paths``) to probabilities.

        Args:
            ctx: Context of the run.
            images: Images of this stage.
            keep_in: Folder for a temporary file with the outputs of the network, for a function that is called twice
                for each image; see :func:`class_probabilities`.
        """
        model = ctx.load_network(self.weights, images.classes)
        kept = None if keep_in is None else KeptValues(keep_in)

        def predict(places: Sequence[int], at: str = self.at) -> Iterator[Tensor]:
            indices = [images.indices[place] for place in places]
            settings = (at, self.flip, self.batch_size, self.num_workers, kept)
            return class_probabilities(model, images.dataset, indices, *settings)

        return predict

    def facts(self, ctx: StageContext) -> dict[str, Any]:
        """Return the origin of the result, for its manifest."""
        # Files are identified by their content and not by their path: weights here, lists and priors by the labelling.
        settings = {
            key: value for key, value in self.settings(ctx).items() if key not in ('weights', 'images', 'prior')
        }
        return dict(weights=ctx.weights_digest(self.weights), config=settings_digest(settings))

    def _dataset(self, ctx: StageContext) -> dict:
        return self.dataset or inference_dataset(ctx.base_config(), self.pipeline)


def outside_files(*values: str | None) -> set[str]:
    """Return the values that name files outside the run."""
    return {value for value in values if value and stage_of(value) is None}


def _places(keep: Path, paths: list[str]) -> list[int]:
    """Return the indices of the images of a list. A path from another machine is found by its file name."""
    places = {path: i for i, path in enumerate(paths)}
    by_name: dict[str, int | None] = {}
    for path, i in places.items():
        name = os.path.basename(path)
        by_name[name] = None if name in by_name else i  # a name that occurs twice is found only by its whole path
    names = [line.split('\t')[0] for line in keep.read_text(encoding='utf-8').splitlines() if line]
    found = [places.get(name, by_name.get(os.path.basename(name))) for name in names]
    unknown = [name for name, place in zip(names, found, strict=True) if place is None]
    if unknown or not found:
        raise ValueError(
            f'{keep}: of {len(names)} images {len(unknown)} are not in the data set (the first: '
            f'{unknown[0] if unknown else None!r}); paths of the data set look like {paths[0]!r}'
        )
    return [place for place in found if place is not None]
