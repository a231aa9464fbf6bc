"""What a trained network makes of unlabelled images: pseudo labels, and an order of the images."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import TASK_UTILS
from torch import Tensor

from mmuda.datasets import build_dataset
from mmuda.engine.probabilities import AT, class_probabilities, inference_dataset
from mmuda.labeling import label_images, load_prior, rank_images, resize_prior
from mmuda.labeling.ranking import RARE_CLASSES

from .base import Stage
from .context import StagedRun
from .references import references, resolve
from .settings import fingerprint


class InferenceStage(Stage):
    """A stage that looks at images through a trained network.

    Args:
        name: See :class:`Stage`.
        weights: The network: an earlier training stage, or a checkpoint file.
        dataset: Config of the images; by default the target images of the config, read as its test images are.
        pipeline: Of the images, if the default data set is read another way.
        images: A text file of image paths to keep, such as ``'{rank}/easy.txt'``.
        at: Resolution of probabilities: ``'image'``, ``'input'`` or ``'input_soft'``, see :func:`class_probabilities`.
        flip: Average with the probabilities of the mirrored image.
        batch_size: Images for one forward pass.
        num_workers: Processes that read images.

    Raises:
        ValueError: For an unknown ``at``.
    """

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

    def settings(self, run: StagedRun) -> dict[str, Any]:
        """Network, images and how they are looked at."""
        return dict(
            weights=self.weights,
            model=run.network_config(self.weights).model,
            dataset=self._dataset(run),
            images=self.images,
            at=self.at,
            flip=self.flip,
        )

    def needs(self, run: StagedRun) -> set[str]:
        return super().needs(run) | run.named({self.weights})

    def _dataset(self, run: StagedRun) -> dict:
        return self.dataset or inference_dataset(run.base_config(), self.pipeline)

    def load_images(self, run: StagedRun) -> 'ImageSet':
        """The images of this stage.

        Raises:
            ValueError: If the list names an image that the data set does not have.
        """
        dataset = build_dataset(resolve(self._dataset(run), run.folders))
        keep = resolve(self.images, run.folders)
        return ImageSet(dataset, None if keep is None else Path(keep))

    def probabilities(self, run: StagedRun, images: 'ImageSet') -> Callable[..., Iterator[Tensor]]:
        """Load the network; return a function from places in the list of images to probabilities."""
        model = run.load_network(self.weights)

        def predict(places: Sequence[int], at: str = self.at) -> Iterator[Tensor]:
            return class_probabilities(
                model,
                images.dataset,
                [images.indices[place] for place in places],
                at,
                self.flip,
                self.batch_size,
                self.num_workers,
            )

        return predict

    def facts(self, run: StagedRun) -> dict[str, Any]:
        """What made the result, for its manifest."""
        # Files are told by their content, wherever they are: weights here, lists and priors by the labelling itself.
        settings = {
            key: value for key, value in self.settings(run).items() if key not in ('weights', 'images', 'prior')
        }
        return dict(weights=run.weights_digest(self.weights), config=fingerprint(settings))

    def files(self, run: StagedRun) -> set[str]:
        return {
            name
            for name in (self.weights, self.images)
            if name and name not in run.folders and not list(references(name))
        }


class ImageSet:
    """The images of a data set, or those of them that a list names.

    Args:
        dataset: With a test pipeline.
        keep: Text file of image paths.
    """

    def __init__(self, dataset: BaseSegDataset, keep: Path | None = None) -> None:
        self.dataset = dataset
        paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
        self.indices = list(range(len(paths)))
        if keep is not None:
            self.indices = _places(keep, paths)
        self.paths: list[str] = [paths[i] for i in self.indices]
        self.classes: Sequence[str] = dataset.metainfo['classes']

    def size(self, at: str) -> Sequence[int]:
        """(H, W) of the first image's probabilities."""
        sample = self.dataset[self.indices[0]]['data_samples']
        return tuple((sample.ori_shape if at == 'image' else sample.img_shape)[:2])


def _places(keep: Path, paths: list[str]) -> list[int]:
    """Where the images of a list are; one from another machine is found by its file name."""
    places = {path: i for i, path in enumerate(paths)}
    by_name: dict[str, int | None] = {}
    for path, i in places.items():
        name = os.path.basename(path)
        by_name[name] = None if name in by_name else i  # told apart by their folders only
    names = [line.split('\t')[0] for line in keep.read_text(encoding='utf-8').splitlines() if line]
    found = [places.get(name, by_name.get(os.path.basename(name))) for name in names]
    unknown = [name for name, place in zip(names, found, strict=True) if place is None]
    if unknown or not found:
        raise ValueError(
            f'{keep}: of {len(names)} images {len(unknown)} are not in the data set (the first: '
            f'{unknown[0] if unknown else None!r}); its own are like {paths[0]!r}'
        )
    return found


@TASK_UTILS.register_module()
class LabelStage(InferenceStage):
    """Write pseudo labels for images; ``PseudoLabelDataset(labels='{name}')`` reads them.

    Args:
        name: See :class:`Stage`.
        weights: See :class:`InferenceStage`.
        strategy: How labels are chosen, such as ``dict(type='ClassBalanced', portion=0.2)``.
        prior: File of a spatial prior (.mat, .npz, .npy), such as ``'{prior}/prior.npz'``; resized to the images if
            need be.
        thresholds_at: Resolution that thresholds are taken at, if not ``at``: SDCA takes them at ``'input'`` and labels
            at ``'image'``.
        **kwargs: Of :class:`InferenceStage`.
    """

    def __init__(
        self,
        name: str,
        weights: str,
        strategy: dict,
        prior: str | None = None,
        thresholds_at: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(name, weights, **kwargs)
        self.strategy, self.prior, self.thresholds_at = strategy, prior, thresholds_at
        if thresholds_at not in (None, *AT):
            raise ValueError(f'stage {name!r}: thresholds_at is {thresholds_at!r}, expected None or one of {AT}')
        if thresholds_at not in (None, self.at) and prior is not None:
            raise ValueError(f'stage {name!r}: a prior has one resolution, leave thresholds_at out')
        try:
            TASK_UTILS.build(dict(strategy))
        except TypeError as error:  # mistakes show before the first stage
            raise ValueError(
                f'stage {name!r}: strategy {dict(strategy)} lacks or has too many arguments ({error})'
            ) from error

    def settings(self, run: StagedRun) -> dict[str, Any]:
        settings = dict(super().settings(run), strategy=self.strategy, prior=self.prior)
        if self.thresholds_at is not None:
            settings['thresholds_at'] = self.thresholds_at
        return settings

    def files(self, run: StagedRun) -> set[str]:
        prior = self.prior if self.prior and not list(references(self.prior)) else None
        return super().files(run) | ({prior} if prior else set())

    def run(self, run: StagedRun, folder: Path, resume: bool) -> dict[str, Any]:
        """Label, or go on labelling."""
        images = self.load_images(run)
        prior = None
        if self.prior is not None:
            prior = load_prior(resolve(self.prior, run.folders))
            prior = resize_prior(prior, images.size(self.at))
        probabilities = self.probabilities(run, images)
        manifest = label_images(
            images.paths,
            probabilities,
            folder,
            TASK_UTILS.build(dict(self.strategy)),
            images.classes,
            self.facts(run),
            prior=prior,
            for_statistics=partial(probabilities, at=self.thresholds_at or self.at),
        )
        return dict(images=len(manifest.images))


@TASK_UTILS.register_module()
class RankStage(InferenceStage):
    """Order images by the entropy of their prediction, and split them (IntraDA, Pan et al., CVPR 2020, section 3.2).

    Writes ``easy.txt`` and ``hard.txt``, one image path per line, and ``scores.json``.

    Args:
        name: See :class:`Stage`.
        weights: See :class:`InferenceStage`.
        easy: Share of the images that is easy: the paper's lambda.
        normalize: Scale each entropy by how few of the rare classes the prediction has.
        rare_classes: Their names; those that the data set does not have do not count.
        **kwargs: Of :class:`InferenceStage`.
    """

    def __init__(
        self,
        name: str,
        weights: str,
        easy: float = 0.67,
        normalize: bool = False,
        rare_classes: Sequence[str] = RARE_CLASSES,
        **kwargs,
    ) -> None:
        super().__init__(name, weights, **kwargs)
        self.easy, self.normalize, self.rare_classes = easy, normalize, rare_classes

    def settings(self, run: StagedRun) -> dict[str, Any]:
        rare = self.rare_classes if self.normalize else None
        return dict(super().settings(run), easy=self.easy, rare_classes=rare)

    def run(self, run: StagedRun, folder: Path, resume: bool) -> dict[str, Any]:
        """Rank, or go on ranking."""
        images = self.load_images(run)
        rare = None
        if self.normalize:
            rare = [images.classes.index(name) for name in self.rare_classes if name in images.classes]
        ranking = rank_images(
            images.paths, self.probabilities(run, images), folder, self.easy, rare_classes=rare, facts=self.facts(run)
        )
        return dict(easy=len(ranking.easy), hard=len(ranking.hard))
