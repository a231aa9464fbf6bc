"""File names of MiniCity, in the layout of GTA5 for the source and of Cityscapes for the target."""

from dataclasses import dataclass
from pathlib import Path

MANIFEST_NAME = 'minicity.json'
PARTS = ('source', 'target')
"""Folders of MiniCity below its root."""

_TOWNS = {'train': ('altdorf', 'neustadt'), 'val': ('seeheim',)}


@dataclass(frozen=True)
class Sample:
    """One image and the names of its files.

    Args:
        domain: ``'source'`` or ``'target'``.
        split: ``'train'`` or ``'val'``.
        index: Index of the image in its split.
        image: Image file, relative to the root.
        label: Label file, relative to the root; None if there is no label.
    """

    domain: str
    split: str
    index: int
    image: Path
    label: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of this sample, relative to the root."""
        return (self.image,) if self.label is None else (self.image, self.label)


def list_samples(num_source: int, num_target: int, num_val: int, oracle_labels: bool) -> list[Sample]:
    """Return all samples of a MiniCity.

    Args:
        num_source: Number of source images.
        num_target: Number of target training images.
        num_val: Number of target validation images.
        oracle_labels: Whether the target training images have labels, too.

    Returns:
        All samples, source first.
    """
    samples = []
    for index in range(num_source):
        name = f'{index + 1:05d}.png'
        samples.append(Sample('source', 'train', index, Path('source/images', name), Path('source/labels', name)))
    for split, count, labelled in (('train', num_target, oracle_labels), ('val', num_val, True)):
        for index in range(count):
            town = _TOWNS[split][index % len(_TOWNS[split])]
            stem = f'{town}_000000_{index + 1:06d}'
            image = Path('target/leftImg8bit', split, town, f'{stem}_leftImg8bit.png')
            label = Path('target/gtFine', split, town, f'{stem}_gtFine_labelIds.png')
            samples.append(Sample('target', split, index, image, label if labelled else None))
    return samples
