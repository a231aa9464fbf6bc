"""Formats of predictions for the test servers of data sets: ids, folder and names of the files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from mmseg.datasets import LoveDADataset

from mmuda.constants import IGNORE_INDEX
from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.datasets.label_tables import get_label_table


@dataclass(frozen=True)
class ServerFormat:
    """Format of label maps for a test server: 8-bit grey PNG files in one folder.

    Attributes:
        folder: Name of the folder to upload as an archive.
        ids: Value in the files by the name of the class, in lower case.
        file_name: Function from the name of an image to the name of its label map, both without suffix.
        server: Name of the server, for messages, with the source of the format.
    """

    folder: str
    ids: Mapping[str, int]
    file_name: Callable[[str], str]
    server: str

    def table(self, classes: Sequence[str]) -> np.ndarray:
        """Return the values in the files by train id, (256,) uint8.

        Args:
            classes: Names of the classes that the network predicts; classes of the format can be missing.

        Raises:
            ValueError: If the format has no value for a class.
        """
        unknown = [name for name in classes if name.lower() not in self.ids]
        if unknown:
            raise ValueError(
                f'the network predicts {", ".join(unknown)}, but {self.server} has {", ".join(self.ids)}: use a '
                'network of these classes, or another format'
            )
        table = np.full(256, IGNORE_INDEX, np.uint8)
        table[: len(classes)] = [self.ids[name.lower()] for name in classes]
        return table


def _cityscapes_name(stem: str) -> str:
    """Return CITY_SEQUENCE_FRAME_labelIds; the server looks for files that begin with CITY_SEQUENCE_FRAME."""
    return f'{stem.removesuffix("_leftImg8bit")}_labelIds'


def _same(stem: str) -> str:
    return stem


_RAW = {train: raw for raw, train in get_label_table('cityscapes').pairs if train != IGNORE_INDEX}
_TRAIN_IDS = {name: number for number, name in enumerate(CITYSCAPES_CLASSES)}

FORMATS: dict[str, ServerFormat] = {
    'cityscapes': ServerFormat(
        'cityscapes',
        {name: _RAW[number] for name, number in _TRAIN_IDS.items()},
        _cityscapes_name,
        'the Cityscapes benchmark (cityscapes-dataset.com: labelIds, evalPixelLevelSemanticLabeling.py)',
    ),
    'acdc': ServerFormat('labelTrainIds', _TRAIN_IDS, _same, 'the ACDC benchmark (acdc.vision.ee.ethz.ch)'),
    'dark_zurich': ServerFormat(
        'labelTrainIds', _TRAIN_IDS, _same, 'the Dark Zurich benchmark (UIoU challenge on CodaLab)'
    ),
    'loveda': ServerFormat(
        'loveda',
        {name: number for number, name in enumerate(LoveDADataset.METAINFO['classes'])} | {'agriculture': 6},
        _same,
        'the LoveDA challenge on CodaLab',
    ),
}
"""Formats by their name for ``--format``."""


def get_format(name: str) -> ServerFormat:
    """Return a format by its name.

    Raises:
        KeyError: If there is none of that name.
    """
    if name not in FORMATS:
        raise KeyError(f'there is no format {name!r} of a test server: choose one of {", ".join(FORMATS)}')
    return FORMATS[name]
