"""The labelling: from class probabilities to label files, in the memory of one batch."""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, all_reduce, is_main_process
from mmengine.logging import print_log
from terminaltables import AsciiTable
from torch import Tensor

from mmuda.constants import IGNORE_INDEX
from mmuda.label_png import label_png
from mmuda.owner import only_run
from mmuda.progress import progress
from mmuda.ranks import from_main, own_share

from .confidences import Confidences, most_likely
from .jobs import Job
from .manifest import NAME, Manifest, label_names, missing_labels
from .passes import ResumablePass
from .strategies import Strategy, ThresholdStrategy
from .writer import LabelWriter

Probabilities = Callable[[Sequence[int]], Iterator[Tensor]]
"""Function from places (indices in the list of images) to the probabilities (C, H, W), float32, of these images."""


def label_images(
    images: Sequence[str],
    probabilities: Probabilities,
    out_dir: Path,
    strategy: Strategy,
    classes: Sequence[str],
    facts: dict[str, Any] | None = None,
    prior: np.ndarray | None = None,
    for_statistics: Probabilities | None = None,
    writers: int = 2,
    snapshot_every: float = 30.0,
    palette: Sequence[Sequence[int]] | None = None,
) -> Manifest:
    """Write a pseudo label for each image.

    A strategy with thresholds needs two passes over the images: the first collects statistics, the second writes
    labels. Probabilities are not kept between the passes: ``probabilities`` is called in both, and can keep values that
    speed up the second call.

    After an interruption, a call with the same arguments continues the work. The statistics continue from a snapshot.
    Only missing label files are written; complete ones are never changed. Several processes share the images.

    Args:
        images: Paths of all images, the same on every process.
        probabilities: Called for the images of this process that are not yet complete.
        out_dir: Folder for ``labels/`` and ``manifest.json``.
        strategy: Rule that chooses the pixels.
        classes: Names of the C classes.
        facts: Origin of the probabilities, as plain values (digest of the weights, ...). They are kept in the manifest,
            and a folder that was started with other facts is refused.
        prior: Spatial prior (C, H, W) of the size of the probabilities, which are multiplied by it first.
        for_statistics: Probabilities from which the thresholds are taken, for example of another resolution; default:
            ``probabilities``.
        writers: Number of threads that encode and write.
        snapshot_every: Seconds between two snapshots of the statistics.
        palette: RGB colour of each class, for image viewers. The pixel values stay the train ids.

    Returns:
        The manifest of the complete labelling.

    Raises:
        ValueError: If the list of images is empty or ambiguous, or a map has NaN, or another number of classes or size.
        RuntimeError: If the folder was started with other images, facts or settings, or another run uses it.
        OSError: If the disk is full, or clearly too small for all label files.
    """
    with only_run(out_dir, 'labelling'):
        return _label_images(
            images,
            probabilities,
            Path(out_dir),
            strategy,
            classes,
            facts,
            prior,
            for_statistics,
            writers,
            snapshot_every,
            palette,
        )


def _label_images(
    images: Sequence[str],
    probabilities: Probabilities,
    folder: Path,
    strategy: Strategy,
    classes: Sequence[str],
    facts: dict[str, Any] | None,
    prior: np.ndarray | None,
    for_statistics: Probabilities | None,
    writers: int,
    snapshot_every: float,
    palette: Sequence[Sequence[int]] | None,
) -> Manifest:
    names = label_names(images)
    prior_digest = None if prior is None else hashlib.sha256(np.ascontiguousarray(prior).tobytes()).hexdigest()
    settings = dict(strategy=strategy.describe(), classes=list(classes), facts=facts or {}, prior=prior_digest)
    listed = hashlib.sha256('\n'.join(names).encode()).hexdigest()
    job = Job(
        folder,
        NAME,
        settings=dict(**settings, labels=names),
        results=dict(images=list(images), thresholds=None, sizes=None),
        plan=dict(**settings, images=len(images), list=listed),
    )
    if job.done and from_main(lambda: not missing_labels(folder, names)):
        return Manifest.read(folder)
    own = own_share(len(images))
    maps = _Maps(images, probabilities, len(classes), prior)
    counted = maps if for_statistics is None else _Maps(images, for_statistics, len(classes), prior)
    if isinstance(strategy, ThresholdStrategy) and job.content['thresholds'] is None:
        statistics = _Statistics(strategy.new_statistics(len(classes)), counted, folder)
        ResumablePass(folder, own, 'statistics', snapshot_every).run(counted, statistics)
        statistics.confidences.all_reduce()
        job.update(
            thresholds=strategy.thresholds(statistics.confidences).tolist(),
            sizes=strategy.sizes(statistics.confidences).tolist(),
        )
    thresholds = job.content['thresholds']
    label_writer = LabelWriter(writers, palette)
    written, digests = _write_labels(maps, own, names, strategy, thresholds, folder, label_writer)
    counts = torch.from_numpy(written)
    all_reduce(counts)
    by_place = {place: digest for part in all_gather_object(digests) for place, digest in part.items()}
    job.finish(
        counts=counts[: len(classes)].tolist(),
        ignored=int(counts[IGNORE_INDEX]),
        digests=[by_place[place] for place in range(len(images))],
    )
    manifest = Manifest.read(folder)
    if is_main_process():
        print_log(_summary(manifest), logger='current')
    return manifest


class _Maps:
    """Probabilities, checked and multiplied by the prior."""

    def __init__(
        self, images: Sequence[str], probabilities: Probabilities, num_classes: int, prior: np.ndarray | None
    ) -> None:
        self.images, self.probabilities, self.num_classes = images, probabilities, num_classes
        self.prior = None if prior is None else torch.from_numpy(np.asarray(prior, np.float32))
        self.disk_need_told = False

    def __call__(self, places: Sequence[int]) -> Iterator[Tensor]:
        for place, prob in zip(places, self.probabilities(places), strict=True):
            if prob.ndim != 3 or len(prob) != self.num_classes:
                raise ValueError(
                    f'{self.images[place]}: probabilities are {tuple(prob.shape)}, expected '
                    f'({self.num_classes}, H, W), one map for each class name'
                )
            if self.prior is not None:
                if prob.shape != self.prior.shape:
                    raise ValueError(
                        f'{self.images[place]}: probabilities are {tuple(prob.shape)}, but the prior is '
                        f'{tuple(self.prior.shape)}: all images and the prior must have the same size'
                    )
                self.prior = self.prior.to(prob.device)
                prob = prob * self.prior
            yield prob


class _Statistics:
    """State of the first pass: confidences of the most likely classes."""

    def __init__(self, confidences: Confidences, maps: _Maps, folder: Path) -> None:
        self.confidences, self.maps, self.folder = confidences, maps, folder

    def add(self, place: int, prob: Tensor) -> None:
        confidence, labels = most_likely(prob)
        _check_finite(confidence, self.maps.images[place])
        _tell_disk_need(self.maps, self.folder, labels, len(self.maps.images))
        self.confidences.add(confidence, labels)

    def state(self) -> dict[str, Any]:
        return {key: torch.from_numpy(value) for key, value in self.confidences.state().items()}

    def load_state(self, state: dict[str, Any]) -> None:
        self.confidences.load_state({key: value.numpy() for key, value in state.items()})


def _write_labels(
    maps: _Maps,
    own: Sequence[int],
    names: list[str],
    strategy: Strategy,
    thresholds: list[float] | None,
    folder: Path,
    label_writer: LabelWriter,
) -> tuple[np.ndarray, dict[int, str]]:
    """Write the missing files of this process. Return pixels by label (256,) and digests by place of all its files."""
    present = {place for place in own if (folder / names[place]).is_file()}
    missing = [place for place in own if place not in present]
    wanted = None if thresholds is None else torch.tensor(thresholds, dtype=torch.float64)
    with label_writer as writer:
        for place in present:
            writer.count(folder / names[place])
        for place, prob in zip(missing, progress(maps(missing), len(missing), 'labels'), strict=True):
            if wanted is None:  # the first pass of a strategy with thresholds has checked the maps
                _check_finite(prob, maps.images[place])
            label = strategy.label(prob, wanted)
            _tell_disk_need(maps, folder, label, len(missing) * (len(maps.images) // max(len(own), 1)))
            writer.put(folder / names[place], label)
    return writer.counts, {place: writer.digests[folder / names[place]] for place in own}


def _check_finite(values: Tensor, image: str) -> None:
    if values.isnan().any():
        raise ValueError(
            f'{image}: probabilities are NaN: the network has diverged, or its weights do not belong to it'
        )


def _tell_disk_need(maps: _Maps, folder: Path, label: Tensor, count: int) -> None:
    """Log with the first map how much room all files need, and raise OSError if there is clearly less."""
    if maps.disk_need_told or not is_main_process():
        return
    maps.disk_need_told = True
    each, most = len(label_png(label.cpu().numpy())), label.numel()
    need, free = each * count / 1e6, shutil.disk_usage(folder).free / 1e6
    print_log(
        f'{count} label files of about {each / 1e3:.0f} kB: {need:.0f} MB (at most {most * count / 1e6:.0f} MB) in '
        f'{folder}, {free:.0f} MB are free',
        logger='current',
    )
    if need > 1.2 * free:
        raise OSError(
            f'{folder}: {count} label files need about {need:.3g} MB, but {free:.3g} MB are free: make room, or choose '
            'another folder'
        )


def _summary(manifest: Manifest) -> str:
    total = max(sum(manifest.counts) + manifest.ignored, 1)
    rows: list[list] = [['class', 'labelled pixels', 'share of all', 'threshold']]
    thresholds: Sequence[float | None] = manifest.thresholds or [None] * len(manifest.classes)
    for name, count, threshold in zip(manifest.classes, manifest.counts, thresholds, strict=True):
        rows.append([name, count, f'{count / total:.2%}', '' if threshold is None else f'{threshold:.4g}'])
    rows.append(['none', manifest.ignored, f'{manifest.ignored / total:.2%}', ''])
    return f'{len(manifest.images)} pseudo labels in {manifest.folder}\n{AsciiTable(rows).table}'
