"""Rare class sampling of DAFormer: a class is drawn first, rare ones more often, then a source image that has it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset, ConcatDataset

from mmuda.registry import SOURCE_ORDERS

from ..class_count_files import read_class_counts
from ..class_presence import class_counts
from ..transforms.class_crop import WANTED_CLASS, WANTED_PIXELS
from .streams import SOURCE_STREAM, DrawnImage


class RareClassDraws:
    r"""Draws of rare class sampling (Hoyer et al., DAFormer, CVPR 2022, eqs. 11 and 12).

    .. math:: P(c) = \frac{e^{(1 - f_c) / T}}{\sum_{c'} e^{(1 - f_{c'}) / T}}, \qquad
       f_c = \frac{\text{pixels of } c}{\text{pixels of all classes}}

    Only classes that occur take part. After the class, one of the images with more than ``min_pixels`` pixels of this
    class is drawn with equal probability.

    Args:
        counts: (images, C), number of pixels of each class in each label.
        temperature: T. With infinity, all classes are equally likely.
        min_pixels: An image is drawn for a class only if it has more than this many pixels of it.
        classes: Class names, for messages.

    Raises:
        ValueError: If the temperature is not positive, no image has any class, or no image has enough pixels of a class
            that occurs.
    """

    def __init__(
        self, counts: np.ndarray, temperature: float, min_pixels: float, classes: Sequence[str] | None = None
    ) -> None:
        if not temperature > 0:
            raise ValueError(f'temperature must be positive, but got {temperature}')
        counts = np.asarray(counts)
        if not counts.any():
            raise ValueError('no image has any class: rare classes need labels with at least one labelled pixel')
        self.classes = _rarest_first(counts)
        """(K,) ids of the classes that occur, by ascending number of pixels."""
        self.probabilities = _probabilities(counts[:, self.classes], temperature)
        """(K,) float32, the probability of each of these classes."""
        self.images = {int(label): np.flatnonzero(counts[:, label] > min_pixels) for label in self.classes}
        """Indices of the images that can be drawn for a class."""
        for label, images in self.images.items():
            if not len(images):
                name = f'class {label}' if classes is None else f'{classes[label]} (class {label})'
                raise ValueError(
                    f'rare classes: no image has more than {min_pixels:g} pixels of {name}, the most are '
                    f'{counts[:, label].max()}: choose a smaller min_pixels'
                )

    def draw(self, random: np.random.RandomState) -> tuple[int, int]:
        """Draw a class, and then an image that has it.

        Args:
            random: NumPy's legacy generator, as in the original code; ``choice`` is called twice.

        Returns:
            The class and the index of the image.
        """
        label = int(random.choice(self.classes, p=self.probabilities))
        return label, int(random.choice(self.images[label]))


def _rarest_first(counts: np.ndarray) -> np.ndarray:
    """Return the classes that occur, by ascending number of pixels. Ties are ordered by the first image of a class."""
    totals, first = counts.sum(axis=0, dtype=np.int64), (counts > 0).argmax(axis=0)
    order = np.lexsort((first, totals))
    return order[totals[order] > 0]


def _probabilities(counts: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities (K,) of classes with these pixel counts (images, K), in float32 as in the original."""
    totals = counts.sum(axis=0, dtype=np.int64)
    rarity = (1 - totals.astype(np.float32) / np.float32(totals.sum())) / np.float32(temperature)
    weights = np.exp(rarity - rarity.max())
    return weights / weights.sum()


@SOURCE_ORDERS.register_module()
class RareClassOrder:
    """A source policy of :class:`DomainPairSampler`: :class:`RareClassDraws`, and crops that show the drawn class.

    The n-th image is a pure function of (seed, n) and is computed without the images before it. The drawn class is
    added to the sample. In the pipeline, :class:`RandomClassCrop` then draws windows until one has more than
    ``min_pixels * min_crop_ratio`` pixels of this class, up to eleven times. The image is decoded once (the original
    code runs the whole pipeline again). Flips and other steps after the crop are drawn once.

    The pixels of all classes are counted when it is built for the first time, at the size of the label files and after
    the mapping of ids; see :func:`class_counts`. All processes must build it.

    Args:
        dataset: Labelled source data set, a ``BaseDataset`` or a ``ConcatDataset``, from the sampler.
        seed: Seed of the sampler.
        temperature: See :class:`RareClassDraws`; 0.01 in the paper.
        min_pixels: See :class:`RareClassDraws`; 3000 in the paper.
        min_crop_ratio: Share of ``min_pixels`` that a crop must exceed: 0.5 for crops of 512x512 pixels in the paper,
            2.0 for crops of 1024x1024 in HRDA. 0 accepts any crop.
        statistics: One of the files ``sample_class_stats.json``, ``sample_class_stats_dict.json`` and
            ``samples_with_class.json`` that the converters of DAFormer write, or a folder with one of them. It is read
            instead of the labels; see :func:`read_class_counts`.

    Raises:
        ValueError: As :class:`RareClassDraws` and :func:`class_counts` or :func:`read_class_counts`. Also if a setting
            is negative, or no step of the source's pipeline looks for the drawn class.
    """

    def __init__(
        self,
        dataset: BaseDataset | ConcatDataset,
        seed: int,
        temperature: float = 0.01,
        min_pixels: float = 3000,
        min_crop_ratio: float = 0.5,
        statistics: str | Path | None = None,
    ) -> None:
        if min_pixels < 0 or min_crop_ratio < 0:
            raise ValueError(
                f'min_pixels and min_crop_ratio must not be negative, but got {min_pixels} and {min_crop_ratio}'
            )
        self.seed = seed
        self.wanted_pixels = min_pixels * min_crop_ratio if min_crop_ratio else None
        if min_crop_ratio:
            _check_pipelines(dataset)
        counts = class_counts(dataset) if statistics is None else read_class_counts(statistics, dataset)
        self.draws = RareClassDraws(counts, temperature, min_pixels, dataset.metainfo['classes'])

    def __getitem__(self, n: int) -> DrawnImage:
        random = np.random.RandomState(np.random.SeedSequence([self.seed, SOURCE_STREAM, n]).generate_state(4))
        label, image = self.draws.draw(random)
        wanted = {} if self.wanted_pixels is None else {WANTED_CLASS: label, WANTED_PIXELS: self.wanted_pixels}
        return DrawnImage(image, wanted)


def _check_pipelines(dataset: BaseDataset | ConcatDataset) -> None:
    for part in getattr(dataset, 'datasets', [dataset]):
        steps = part.pipeline.transforms
        if not any(getattr(step, 'seeks_wanted_class', False) for step in steps):
            raise ValueError(
                'RareClassOrder: the crop should show the drawn class, but no step of the pipeline of '
                f'{type(part).__name__} looks for it ({", ".join(type(step).__name__ for step in steps)}): crop with '
                'RandomClassCrop, or set min_crop_ratio=0'
            )
