"""Result files of ``tools/test.py`` in the work directory of a training: which network, images and statistics."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = 'test'
"""Folder of the results, beside the checkpoints."""

_NAME = re.compile(
    r'(?P<network>.*?)(?:_on_(?P<images>val|source|target))?(?P<target_bn>(?:_|^)target_bn)?(?P<tta>(?:_|^)tta)?',
    re.DOTALL,
)
_CHILD = re.compile(r'.*?(?:iter|epoch)_\d+_(?P<child>\w+)')
ENSEMBLE = 'ensemble'
"""Network of a test of several checkpoints."""


class Kind(NamedTuple):
    """Kind of a test, according to the name of its result file.

    Attributes:
        network: Name of the tested network: '' for the segmentor of one checkpoint, ``'ensemble'``, ``'teacher'``, ...
        images: ``'test'``, or the images that ``--on`` names: ``'val'``, ``'source'`` or ``'target'``.
        statistics: Batch-norm statistics, ``'stored'`` or ``'target'``.
        tta: Whether predictions were averaged over augmentations of each image (``--tta``).
    """

    network: str
    images: str
    statistics: str
    tta: bool = False

    @property
    def title(self) -> str:
        """The differences from a plain test, as an addition to the name of a run; '' for a plain test."""
        parts = [self.network, 'target statistics' * (self.statistics == 'target'), 'test-time augmentation' * self.tta]
        return ''.join(f', {part}' for part in parts if part)

    def stem(self, checkpoint: str) -> str:
        """Return the name of the result file without suffix; :func:`kind_of` is the inverse.

        Args:
            checkpoint: Name of the tested checkpoint without suffix, such as ``'iter_60'``. It is not used for an
                ensemble.
        """
        network = (
            self.network if self.network.startswith(ENSEMBLE) else '_'.join(filter(None, [checkpoint, self.network]))
        )
        images = '' if self.images == 'test' else f'_on_{self.images}'
        return f'{network}{images}{"_target_bn" * (self.statistics == "target")}{"_tta" * self.tta}'


PLAIN = Kind('', 'test', 'stored')
"""Test of the segmentor of one checkpoint with its own statistics."""


class Result(NamedTuple):
    """A result file.

    Attributes:
        path: The file.
        content: Its content, see :class:`DomainIoUMetric`.
    """

    path: Path
    content: dict[str, Any]


def kind_of(stem: str) -> Kind:
    """Return the kind of test that a result file holds.

    Args:
        stem: Name of the file without suffix, such as ``'iter_60'`` or ``'iter_60_on_source_target_bn'``.
    """
    found = _NAME.fullmatch(stem)
    assert found is not None  # every text matches
    name = found['network']
    child = _CHILD.fullmatch(name)
    network = child['child'] if child else name if name.startswith(ENSEMBLE) else ''
    statistics = 'target' if found['target_bn'] else PLAIN.statistics
    return Kind(network, found['images'] or PLAIN.images, statistics, bool(found['tta']))


def newest_results(folder: Path) -> dict[Kind, Result]:
    """Return the newest result of each kind of test on the test images, plain tests first.

    Tests on other images (``--on``) are left out, because their numbers cannot be compared with those of test images.

    Args:
        folder: Work directory of a training.
    """
    files = sorted((folder / FOLDER).glob('*.json'), key=lambda path: path.stat().st_mtime)
    found: dict[Kind, Result] = {}
    for path in files:
        kind = kind_of(path.stem)
        content = json.loads(path.read_text(encoding='utf-8'))
        if 'confusion_matrix' in content and kind.images == PLAIN.images:
            found[kind] = Result(path, content)
    return dict(sorted(found.items(), key=lambda item: (item[0].network, item[0].statistics, item[0].tta)))
