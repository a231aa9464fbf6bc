"""Names and colours of the classes that a network predicts."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmuda.checks.data import build_without_files
from mmuda.constants import IGNORE_INDEX
from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE

GOLDEN_RATIO = 0.618034
"""Step between two hues, as a share of the colour circle. With this step, hues never repeat."""


@dataclass(frozen=True)
class Classes:
    """The classes of a network, by train id.

    Attributes:
        names: Names of the C classes.
        palette: RGB colours of the C classes, in [0, 255].
    """

    names: tuple[str, ...]
    palette: tuple[tuple[int, ...], ...]


def classes_of(model: Any, cfg: Config) -> Classes:
    """Return the classes of a network: those in its checkpoint, else those of the test images of its config.

    If neither names them, classes are called ``class 0``, ``class 1``, ... Without a palette, classes of Cityscapes
    have the colours of Cityscapes, and others get different hues.

    Args:
        model: Network from :func:`mmuda.engine.inference.load_model`.
        cfg: Config of the network.

    Raises:
        ValueError: If there are other names than the network has classes, or more classes than a PNG can hold.
    """
    count = count_classes(model)
    if count > IGNORE_INDEX:
        raise ValueError(f'the network has {count} classes, but label maps are 8-bit PNG files of {IGNORE_INDEX}')
    meta = getattr(model, 'dataset_meta', None) or _meta_of_images(cfg) or {}
    names = tuple(map(str, meta.get('classes') or ()))
    if names and len(names) == 1 and count == 2:
        names = ('background', *names)  # one class against the rest
    if names and len(names) != count:
        raise ValueError(
            f'the network has {count} classes, but its checkpoint or config names {len(names)} ({", ".join(names)}): '
            'use the config of the training'
        )
    if not names:
        print_log('neither checkpoint nor config names the classes: they are called class 0, class 1, ...', 'current')
        names = tuple(f'class {number}' for number in range(count))
    return Classes(names, _colours(names, meta.get('palette')))


def count_classes(model: Any) -> int:
    """Return the number of classes in the label maps of a network. A single output stands for two classes."""
    return max(int(model.out_channels), 2)


def _meta_of_images(cfg: Config) -> Mapping[str, Any] | None:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset')
    try:
        return getattr(build_without_files(dict(dataset)), 'metainfo', None) if dataset else None
    except Exception as error:  # a data set can raise anything, for example if its files are not on this machine
        print_log(f'no names of classes are taken from the test data set of {cfg.filename}: {error}', 'current')
        return None


def _colours(names: Sequence[str], palette: Any) -> tuple[tuple[int, ...], ...]:
    if palette is not None and len(palette) == len(names):
        return tuple(tuple(int(value) for value in colour) for colour in palette)
    known = dict(zip(CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, strict=True))
    if set(names) <= set(known):
        return tuple(tuple(known[name]) for name in names)
    hues = (number * GOLDEN_RATIO % 1 for number in range(len(names)))
    return tuple(tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.65, 0.9)) for hue in hues)
