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
"""Steps of this size around the colour circle never meet."""


@dataclass(frozen=True)
class Classes:
    """The classes of a network, by train id.

    Attributes:
        names: C names.
        palette: RGB colour of each.
    """

    names: tuple[str, ...]
    palette: tuple[tuple[int, ...], ...]


def classes_of(model: Any, cfg: Config) -> Classes:
    """Return the classes of a network: those in its checkpoint, else those of the test images of its config.

    Classes without a name are ``class 0``, ``class 1``, ...; colours are made for those without.

    Args:
        model: From :func:`mmuda.engine.inference.load_model`.
        cfg: Its config.

    Raises:
        ValueError: If the checkpoint names another number of classes than the network has, or there are more than a
            PNG holds.
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
    """Return the number of values in label maps of a network; one output tells two classes apart."""
    return max(int(model.out_channels), 2)


def _meta_of_images(cfg: Config) -> Mapping[str, Any] | None:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset')
    try:
        return getattr(build_without_files(dict(dataset)), 'metainfo', None) if dataset else None
    except Exception as error:  # whatever a data set raises whose files are not here: its names are not needed
        print_log(f'the test data set of {cfg.filename} is not looked at for names of classes: {error}', 'current')
        return None


def _colours(names: Sequence[str], palette: Any) -> tuple[tuple[int, ...], ...]:
    if palette is not None and len(palette) == len(names):
        return tuple(tuple(int(value) for value in colour) for colour in palette)
    known = dict(zip(CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, strict=True))
    if set(names) <= set(known):
        return tuple(tuple(known[name]) for name in names)
    hues = (number * GOLDEN_RATIO % 1 for number in range(len(names)))
    return tuple(tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.65, 0.9)) for hue in hues)
