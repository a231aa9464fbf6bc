"""Prediction of many images into a folder, with several processes, which can be continued after an interruption."""

import errno
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import cv2
import numpy as np
from mmengine.dist import all_gather_object, barrier
from torch.utils.data import DataLoader, Dataset

from mmuda.labeling.jobs import RUNNING, Job
from mmuda.owner import only_run
from mmuda.progress import ProgressDisplay
from mmuda.ranks import from_main, own_share

from .inputs import Entry
from .outputs import Outputs
from .predictor import Predictor
from .preparation import header_size
from .shares import Notes, noted, write_shares
from .sources import ArraySource
from .videos import Video
from .windows import Band

MANIFEST = 'prediction.json'
"""File in the output folder with the settings of the prediction and the list of its images."""

WRITERS = 2
"""Number of threads that write files."""

UNREADABLE = (OSError, ValueError)
"""Errors of a single image, which do not stop the prediction of the others."""


class Summary(NamedTuple):
    """Result of :func:`predict_folder`.

    Attributes:
        predicted: Number of images that were predicted.
        skipped: Number of images that were complete before.
        failed: Error messages of images that cannot be read, by file.
        shares: Content of ``shares.json``.
    """

    predicted: int
    skipped: int
    failed: dict[str, str]
    shares: dict[str, Any]


def predict_folder(predictor: Predictor, entries: Sequence[Entry], outputs: Outputs, num_workers: int = 2) -> Summary:
    """Predict images and write the results. All processes must call it; each predicts its share.

    Images whose files are complete are skipped, so that an interrupted prediction can be continued and images can be
    added. An image that cannot be read does not stop the others.

    Args:
        predictor: The network.
        entries: Images from :func:`find_images`.
        outputs: The files to write for each image.
        num_workers: Number of processes that read images.

    Raises:
        RuntimeError: If the folder holds results of other settings or of other images, or another run uses it.
        ValueError: If two images have the same name in the format of a server.
    """
    folder = outputs.folder
    outputs.check_names({entry.name: _source_of(entry) for entry in entries})
    with only_run(folder, 'prediction'):
        own = {} if outputs.ids is None else dict(own_ids=list(outputs.ids))
        settings = dict(predictor.settings(), palette=outputs.palette, **own)
        job = Job(folder, MANIFEST, settings, dict(images={}, stamps={}))
        from_main(outputs.write_legend)
        left = from_main(lambda: _to_do(job, entries, outputs))
        images, stamps = _known(job, entries)
        job.update(images=images, stamps=stamps, status=RUNNING, **own)  # the folder can be older than its own ids
        share = [left[place] for place in own_share(len(left))]
        failed: dict[str, str] = {}
        with Notes(folder, len(outputs.classes.names)) as notes:
            for entry, result in _predicted(predictor, share, outputs, num_workers):
                if isinstance(result, str):
                    failed[_source_of(entry)] = result
                else:
                    notes.add(entry.name, result)
        failed = {image: told for part in all_gather_object(failed) for image, told in part.items()}
        barrier()  # all notes are written
        content = from_main(lambda: _finish(job, outputs))
        job.finish()
    return Summary(len(left) - len(failed), len(entries) - len(left), failed, content)


def _to_do(job: Job, entries: Sequence[Entry], outputs: Outputs) -> list[Entry]:
    """Return the images that have changed since their prediction, or whose files are not complete.

    Raises:
        RuntimeError: If the folder holds the result of another image with the same name.
    """
    images, stamps = job.content['images'], job.content['stamps']
    done = noted(job.folder, len(outputs.classes.names))
    left = []
    for entry in entries:
        other = images.get(entry.name, _source_of(entry))
        if other != _source_of(entry):
            raise RuntimeError(
                f'{job.folder} holds the prediction of {other} under the name {entry.name}, which '
                f'{_source_of(entry)} would get as well: choose another folder, or predict both in one command'
            )
        complete = entry.name in done and all(path.is_file() for path in outputs.paths(entry.name).values())
        if not complete or stamps.get(entry.path) != _stamp(entry.path):
            left.append(entry)
    return left


def _known(job: Job, entries: Sequence[Entry]) -> tuple[dict[str, str], dict[str, list[int] | None]]:
    """Return the files of all images of the folder by name, and the stamps that show whether a file has changed."""
    images = {**job.content['images'], **{entry.name: _source_of(entry) for entry in entries}}
    paths = dict.fromkeys(entry.path for entry in entries)
    return images, {**job.content['stamps'], **{path: _stamp(path) for path in paths}}


def _stamp(path: str) -> list[int] | None:
    """Return size in bytes and modification time in ns of a file; None if it does not exist."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _source_of(entry: Entry) -> str:
    return entry.path if entry.frame is None else f'{entry.path}#{entry.frame}'


def _finish(job: Job, outputs: Outputs) -> dict[str, Any]:
    counts = noted(job.folder, len(outputs.classes.names))
    of_images = {name: counts[name] for name in job.content['images'] if name in counts}
    return write_shares(job.folder, outputs.classes.names, of_images)


def _predicted(
    predictor: Predictor, entries: Sequence[Entry], outputs: Outputs, num_workers: int
) -> Iterator[tuple[Entry, np.ndarray | str]]:
    """Yield each image when its files are complete, with its pixels by class (C,), or with an error message."""
    loader = DataLoader(
        _Images(predictor, entries, outputs.overlay),
        batch_size=predictor.options.batch_size,
        num_workers=min(num_workers, len(entries) - 1) if entries else 0,
        collate_fn=list,
        worker_init_fn=_without_threads,
    )
    finished: deque[tuple[Entry, Future[np.ndarray]]] = deque()
    with ThreadPoolExecutor(WRITERS) as pool, ProgressDisplay(len(entries), 'prediction') as display:
        for items in loader:
            ready = [item for item in items if item.prepared is not None]
            for item in items:
                if item.error is not None:
                    yield item.entry, item.error
                elif item.prepared is None:
                    yield item.entry, _large(predictor, item, outputs)
            results = predictor.whole([item.prepared for item in ready], outputs.confidence) if ready else []
            for item, bands in zip(ready, results, strict=True):
                size = item.prepared.size
                finished.append((item.entry, pool.submit(outputs.write, item.entry.name, size, bands)))
            display.update(len(items))
            while len(finished) > 2 * WRITERS:
                entry, future = finished.popleft()
                yield entry, future.result()
        for entry, future in finished:
            yield entry, future.result()


def _large(predictor: Predictor, item: '_Item', outputs: Outputs) -> np.ndarray | str:
    """Predict an image in windows, write its files, and return its pixels by class (C,), or an error message."""
    try:
        image = predictor.open(item.entry.path) if item.image is None else item.image
        source = ArraySource(image) if isinstance(image, np.ndarray) else image
        bands: Iterator[Band] = predictor.bands(source, item.entry.path, outputs.confidence)
        return outputs.write(item.entry.name, source.size, bands)
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # the disk is full, which concerns all images
        return str(error)


class _Item(NamedTuple):
    """An image from a worker.

    Attributes:
        entry: The image.
        prepared: Input of the network; None if the image is predicted in windows, or cannot be read.
        image: A frame of a video that is predicted in windows, else None.
        error: Error message if the image cannot be read.
    """

    entry: Entry
    prepared: Any = None
    image: np.ndarray | None = None
    error: str | None = None


class _Images(Dataset):
    """Data set of images that are read and prepared.

    Args:
        predictor: The network, whose test pipeline prepares the images.
        entries: The images.
        keep_pictures: Whether items keep the images as they were read.
    """

    def __init__(self, predictor: Predictor, entries: Sequence[Entry], keep_pictures: bool) -> None:
        self.predictor, self.entries, self.keep_pictures = predictor, entries, keep_pictures
        self._video: Video | None = None

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, place: int) -> _Item:
        entry = self.entries[place]
        try:
            if entry.frame is None and self.predictor.in_windows(header_size(entry.path)):
                return _Item(entry)
            image = self._read(entry)
            if self.predictor.in_windows(image.shape[:2]):
                return _Item(entry, image=None if entry.frame is None else image)
            return _Item(entry, self.predictor.prepare(image, entry.path, self.keep_pictures))
        except UNREADABLE as error:
            return _Item(entry, error=str(error))

    def _read(self, entry: Entry) -> np.ndarray:
        if entry.frame is None:
            return self.predictor.preparation.read(entry.path)
        if self._video is None or self._video.path != entry.path:
            self._video = Video(entry.path)
        return self._video.frame(entry.frame)


def _without_threads(worker: int) -> None:
    cv2.setNumThreads(0)
