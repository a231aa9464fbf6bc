"""Plan of a first training: sizes of crops and batches, and a number of iterations, that fit the images."""

import math
import os
from dataclasses import dataclass

import numpy as np

from .survey import Survey

LARGEST_CROP, STEP = 512, 16
LONGEST = 1280
"""Longer side of scaled images. They are scaled if the longer side of their median size is more than 1.25 times it."""

EPOCHS, FEWEST, MOST = 30, 2000, 40000
"""Passes over the larger domain, and the limits of the number of iterations."""

WARMUP = 100
"""Iterations in which the learning rate rises. In short trainings they are a tenth of all iterations."""

LOG_INTERVAL, LINES = 50, 20
"""Largest number of iterations between two lines of the log, and the least number of lines."""

STATISTICS, STATISTICS_PIXELS, LEAST_STATISTICS = 48, 16_000_000, 8
"""Target images for batch-norm statistics: most images, most pixels together, fewest of large images."""


@dataclass(frozen=True)
class Plan:
    """Numbers of a training.

    Attributes:
        crop: Height and width of crops.
        source_length: Longer side that source images are scaled to; None does not scale them.
        target_length: The same for the target.
        batch: Images of each domain in an iteration.
        iterations: Length of the training.
        warmup: Iterations at the beginning in which the learning rate rises.
        interval: Iterations between two validations, and between two checkpoints.
        log_interval: Iterations between two lines of the log.
        workers: Number of processes that load images.
        same_size: Whether all validation images have one size, so that a batch can hold several.
        statistics: Number of target images for one pass over the batch-norm statistics of the target; None if there is
            one image only.
    """

    crop: tuple[int, int]
    source_length: int | None
    target_length: int | None
    batch: int
    iterations: int
    warmup: int
    interval: int
    log_interval: int
    workers: int
    same_size: bool
    statistics: int | None


def make_plan(
    source: Survey,
    target: Survey,
    val: Survey,
    crop: tuple[int, int] | None = None,
    batch: int | None = None,
    iterations: int | None = None,
) -> Plan:
    """Return a plan, and choose the numbers that are not given.

    Crops are as large as most images of both domains allow, up to 512 pixels. Images that are much longer than 1280
    pixels are scaled to that length, in training and in tests.

    Args:
        source: Sizes of the source images.
        target: Sizes of the target images.
        val: Sizes of the validation images.
        crop: Height and width of crops; None chooses them.
        batch: Images of each domain in an iteration; None chooses 2.
        iterations: Length of the training; None chooses 30 passes over the larger domain, from 2000 to 40000.
    """
    source_length, target_length = _length(source), _length(target)
    if crop is None:
        sizes = _scaled(source, source_length), _scaled(target, target_length)
        crop = _side(min(height for height, _ in sizes)), _side(min(width for _, width in sizes))
    batch = 2 if batch is None else batch
    if iterations is None:
        passes = EPOCHS * max(source.total, target.total) / batch
        iterations = int(min(MOST, max(FEWEST, 1000 * round(passes / 1000))))
    warmup = min(WARMUP, iterations // 10)
    # Ten validations would dominate a short training; a training has at least four, if it has four iterations.
    interval = max(iterations // 10, min(math.ceil(iterations / 4), 200))
    workers = min(4, os.cpu_count() or 1)
    return Plan(
        crop,
        source_length,
        target_length,
        batch,
        iterations,
        warmup,
        interval,
        min(LOG_INTERVAL, max(1, iterations // LINES)),
        workers,
        val.is_uniform,
        _statistics(target, target_length),
    )


def _length(domain: Survey) -> int | None:
    return LONGEST if max(domain.median) > 1.25 * LONGEST else None


def _statistics(target: Survey, length: int | None) -> int | None:
    factor = 1.0 if length is None else length / max(target.median)
    fitting = int(STATISTICS_PIXELS / (np.prod(target.median) * factor**2))
    images = min(STATISTICS, target.total, max(LEAST_STATISTICS, fitting))
    return images if images > 1 else None


def _scaled(domain: Survey, length: int | None) -> tuple[int, int]:
    """Return (height, width) that most images have: the smallest if at least half of the median, else the median."""
    width, height = (
        least if 2 * least >= middle else middle for least, middle in zip(domain.smallest, domain.median, strict=True)
    )
    if length is not None:
        factor = length / max(domain.median)
        width, height = int(width * factor), int(height * factor)
    return height, width


def _side(length: int) -> int:
    return max(STEP, min(LARGEST_CROP, length // STEP * STEP))
