"""Numbers of pixels by class of the predicted images of a folder, and the shares of the classes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from terminaltables import AsciiTable

from mmuda.files import write_json
from mmuda.ranks import rank_and_world_size

NAME = 'shares.json'
NOTES = 'notes_{}.jsonl'


class Notes:
    """File of this process with one line for each image whose files are complete.

    Args:
        folder: Output folder.
        count: Number of classes.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self._count = folder, count
        self._file = open(folder / NOTES.format('{}_of_{}'.format(*rank_and_world_size())), 'a', encoding='utf-8')

    def __enter__(self) -> 'Notes':
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, name: str, counts: np.ndarray) -> None:
        """Add the line of an image.

        Args:
            name: Name of the image.
            counts: Number of pixels by class, (C,) int64.
        """
        self._file.write(json.dumps([name, counts.tolist()]) + '\n')
        self._file.flush()


def noted(folder: Path, count: int) -> dict[str, list[int]]:
    """Return the number of pixels by class of each complete image, from the notes and results in a folder.

    Args:
        folder: Output folder.
        count: Number of classes. Entries with another number of classes are skipped.
    """
    found: dict[str, list[int]] = {}
    result = folder / NAME
    if result.is_file():
        try:
            found.update(json.loads(result.read_text(encoding='utf-8'))['images'])
        except (ValueError, KeyError, TypeError):
            print_log(f'{result} is damaged: it is written again', 'current')
    for path in sorted(folder.glob(NOTES.format('*'))):
        for line in path.read_text(encoding='utf-8').splitlines():
            try:
                name, counts = json.loads(line)
            except ValueError:  # the last line of a process that was killed
                continue
            found[name] = counts
    return {name: counts for name, counts in found.items() if len(counts) == count}


def write_shares(folder: Path, classes: Sequence[str], images: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Write the shares of the classes as JSON, in place of the notes.

    Args:
        folder: Output folder.
        classes: Names by train id.
        images: Number of pixels by class of each image.

    Returns:
        The content of the file.
    """
    table = np.array([images[name] for name in sorted(images)], np.int64).reshape(-1, len(classes))
    total = table.sum(axis=0)
    pixels = int(total.sum())
    content = dict(
        classes=list(classes),
        pixels=total.tolist(),
        share=[int(count) / max(pixels, 1) for count in total],
        images_with=np.count_nonzero(table, axis=0).tolist(),
        images={name: list(images[name]) for name in sorted(images)},
    )
    write_json(folder / NAME, content, indent=None)
    for path in folder.glob(NOTES.format('*')):
        path.unlink()
    return content


def shares_table(content: Mapping[str, Any]) -> str:
    """Return the shares of the classes in all images as a table.

    Args:
        content: Result of :func:`write_shares`.
    """
    rows = [['class', 'share, %', 'images']]
    for name, share, images in zip(content['classes'], content['share'], content['images_with'], strict=True):
        rows.append([name, f'{100 * share:.2f}', str(images)])
    table = AsciiTable(rows)
    table.justify_columns = {1: 'right', 2: 'right'}
    return table.table
