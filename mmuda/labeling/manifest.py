"""``manifest.json``: the list of the pseudo labels in a folder, and their origin."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mmuda.zip_files import absolute

from .jobs import DONE, check_sum
from .writer import label_digest

NAME = 'manifest.json'
INTERRUPTED = 'the labelling was interrupted: run it again to continue'
READABLE = (1, 2)
"""Formats that can be read. Files of format 1 were written when a labelling was complete, and have no status."""


@dataclass(frozen=True)
class Manifest:
    """A complete labelling.

    Attributes:
        folder: Folder of the manifest.
        images: Paths of the images, as they were given.
        labels: Their label files (8-bit PNG of train ids, 255 is ignored), relative to the folder.
        classes: Names of the classes; a label is an index into this list.
        strategy: Type and arguments of the strategy, the rule that chose the pixels.
        facts: Origin of the probabilities: digests of weights and config.
        thresholds: Threshold of each class; None for a strategy without thresholds.
        sizes: Size of each class for small-class mining; None for a strategy without thresholds.
        counts: Number of labelled pixels of each class.
        ignored: Number of pixels without a label.
        digests: Digests of the label files, see :meth:`check_labels`; None in manifests of earlier versions.
    """

    folder: Path
    images: list[str]
    labels: list[str]
    classes: list[str]
    strategy: dict[str, Any]
    facts: dict[str, Any]
    thresholds: list[float] | None
    sizes: list[int] | None
    counts: list[int]
    ignored: int
    digests: list[str] | None = None

    @property
    def label_paths(self) -> list[str]:
        """Paths of the label files, in the order of the images."""
        return [os.path.join(self.folder, label) for label in self.labels]

    @classmethod
    def read(cls, folder: str | Path) -> 'Manifest':
        """Read and check the manifest of a complete labelling.

        Raises:
            FileNotFoundError: If the folder has no manifest, the labelling is not complete, or label files are missing.
            ValueError: If the manifest is damaged, or has an unknown format.
        """
        folder = Path(folder)
        path = folder / NAME
        if not path.is_file():
            what = (
                f'holds labels, but no {NAME}: {INTERRUPTED}'
                if (folder / 'labels').is_dir()
                else 'is no folder of pseudo labels: it has no manifest.json'
            )
            raise FileNotFoundError(f'{folder} {what}')
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            if content['format'] not in READABLE:
                raise ValueError(f'format {content["format"]}, expected one of {READABLE}')
            if content.get('status', DONE) != DONE:
                raise FileNotFoundError(f'{folder}: {INTERRUPTED}')
            check_sum(content)
            wanted = [field.name for field in fields(cls)[1:]]
            manifest = cls(
                folder=folder, **{name: content[name] for name in wanted if name in content or name != 'digests'}
            )
            if manifest.digests is not None and len(manifest.digests) != len(manifest.labels):
                raise ValueError(f'{len(manifest.labels)} labels, but digests of {len(manifest.digests)}')
            if len(manifest.images) != len(manifest.labels) or not manifest.images:
                raise ValueError(f'{len(manifest.images)} images and {len(manifest.labels)} labels')
            if len(manifest.counts) != len(manifest.classes):
                raise ValueError(f'{len(manifest.classes)} classes, but counts of {len(manifest.counts)}')
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f'{path} cannot be used ({error}): delete the folder and label again') from error
        missing = missing_labels(folder, manifest.labels)
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} of {len(manifest.labels)} label files of {folder} are missing, the first '
                f'is {missing[0]}: put them back, or run the labelling again'
            )
        return manifest

    def check_labels(self) -> None:
        """Compare all label files with the digests in the manifest. Manifests of earlier versions have no digests.

        Raises:
            ValueError: If a file has another content.
        """
        if self.digests is None:
            return
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda path: label_digest(Path(path).read_bytes()), self.label_paths))
        changed = [label for label, digest, now in zip(self.labels, self.digests, found, strict=True) if digest != now]
        if changed:
            raise ValueError(
                f'{len(changed)} of {len(self.labels)} label files of {self.folder} differ from what was written, the '
                f'first is {changed[0]}: put them back, or delete the folder and label again (in a run of stages: '
                '--restart-from STAGE)'
            )


def label_names(images: Sequence[str]) -> list[str]:
    """Return the file names for the labels of images, relative to the folder of a labelling.

    A name keeps the folders below the deepest common folder of all images, so equal names in different folders do not
    collide.

    Raises:
        ValueError: If there are no images, an image is listed twice, or two images differ only in their extension.
    """
    if not images:
        raise ValueError('there are no images to label')
    paths = [absolute(image) for image in images]
    common = os.path.commonpath([os.path.dirname(path) for path in paths])
    names = [os.path.join('labels', os.path.splitext(os.path.relpath(path, common))[0] + '.png') for path in paths]
    taken: dict[str, str] = {}
    for name, image in zip(names, images, strict=True):
        if name in taken:
            raise ValueError(
                f'{taken[name]} and {image} would have the same label file {name}: list each image once, and '
                'rename one of two that differ only in their extension'
            )
        taken[name] = image
    return names


def missing_labels(folder: Path, labels: Sequence[str]) -> list[str]:
    """Return the label files of a labelling that do not exist, relative to its folder."""
    present = set(_files(folder / 'labels'))
    return [label for label in labels if os.path.normpath(label) not in present]


def _files(folder: Path) -> list[str]:
    """Return all files below a folder, relative to its parent. Listing folders is faster than looking for each file."""
    return [
        os.path.relpath(os.path.join(where, name), folder.parent)
        for where, _, names in os.walk(folder)
        for name in names
    ]
