"""Reader of target images with their pseudo labels."""

import os.path as osp
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from mmuda.labeling import Manifest
from mmuda.labeling.manifest import NAME
from mmuda.settings import shortened
from mmuda.zip_files import is_file

from ..classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE
from ..image_files import MAX_PIXELS, file_of
from .folders import read_list

_LISTED = 20


@DATASETS.register_module()
class PseudoLabelDataset(BaseSegDataset):
    """The images of one labelling with their pseudo labels.

    A labelling is a folder that ``tools/pseudo_label.py`` or a labelling stage wrote. It has a ``manifest.json`` (see
    :class:`~mmuda.labeling.Manifest`) and PNG files of train ids. Read these with ``LoadPseudoLabel``. Each sample has
    the key ``num_classes``.

    Args:
        labels: The folder.
        images: Text file with one image path per line, such as the easy split that IntraDA's ranking writes. Only these
            images are read, in this order. None reads all.
        metainfo: As in mmseg. The classes must be those with which the labels were made. By default they are read from
            the manifest; with ``lazy_init``, there are none while there is no manifest.
        max_pixels: As for :class:`RawSegDataset`.
        **kwargs: Further arguments of :class:`mmseg.datasets.BaseSegDataset`, such as ``pipeline``.

    Raises:
        FileNotFoundError: If the manifest or the list does not exist, or image or label files are missing.
        ValueError: If label files have changed since the labelling, the classes differ, ``reduce_zero_label`` is set,
            or the list is empty, has an image twice or an image without a label.
    """

    def __init__(
        self,
        labels: str,
        images: str | None = None,
        metainfo: dict | None = None,
        max_pixels: int | None = MAX_PIXELS,
        **kwargs: Any,
    ) -> None:
        self.labels, self.images, self.max_pixels = labels, images, max_pixels
        metainfo = dict(metainfo or {})
        if 'classes' not in metainfo and (classes := _classes_of(labels, kwargs.get('lazy_init', False))) is not None:
            metainfo['classes'] = classes
        colours = dict(zip(CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, strict=True))
        if 'palette' not in metainfo and set(metainfo.get('classes', ())) <= set(colours):
            metainfo['palette'] = [colours[name] for name in metainfo.get('classes', ())]
        if kwargs.get('reduce_zero_label'):
            raise ValueError('PseudoLabelDataset: pseudo labels hold train ids: leave reduce_zero_label out')
        super().__init__(metainfo=metainfo, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: Sequence | None = None) -> dict[int, int] | None:
        """Return None: the files hold the ids of exactly these classes, so there is nothing to map."""
        return None

    def load_data_list(self) -> list[dict]:
        """Return the samples in the order of the list, or of the manifest."""
        manifest = Manifest.read(Path(self.labels))
        classes = tuple(self.metainfo.get('classes', ()))
        if tuple(manifest.classes) != classes:
            raise ValueError(
                f'the pseudo labels in {self.labels} were made with the classes {tuple(manifest.classes)}, but the '
                f'data set has {classes}: set metainfo=dict(classes=...) to the former, or make the labels again'
            )
        manifest.check_labels()
        pairs = list(zip(map(str, manifest.images), map(str, manifest.label_paths), strict=True))
        pairs = self._selected(pairs) if self.images is not None else pairs
        self._check_images([image for image, _ in pairs])
        return [
            dict(
                img_path=image,
                seg_map_path=label,
                label_map=None,
                reduce_zero_label=False,
                seg_fields=[],
                num_classes=len(classes),
                max_pixels=self.max_pixels,
            )
            for image, label in pairs
        ]

    def _selected(self, pairs: list[tuple]) -> list[tuple]:
        assert self.images is not None
        by_image = {osp.abspath(image): (image, label) for image, label in pairs}
        try:
            lines = read_list(self.images)
        except FileNotFoundError:
            raise FileNotFoundError(
                f'the list of images {self.images} does not exist: set images to the easy split that the ranking '
                'wrote, or leave it out to read all images'
            ) from None
        names = [line.strip() for line in lines if line.strip()]
        if not names:
            raise ValueError(f'{self.images} lists no image: write one image path per line')
        keys = [osp.abspath(name) for name in names]
        twice = [key for key, count in Counter(keys).items() if count > 1]
        if twice:
            raise ValueError(f'{self.images} lists images more than once: {_some(twice)}\nKeep one line of each')
        lost = [name for name, key in zip(names, keys, strict=True) if key not in by_image]
        if lost:
            raise ValueError(
                f'{len(lost)} of the {len(names)} images in {self.images} have no pseudo label in {self.labels}: '
                f'{_some(lost)}\nWrite paths as they are in its manifest.json, or label these images too'
            )
        return [by_image[key] for key in keys]

    def _check_images(self, images: list[str]) -> None:
        missing = [image for image in images if not is_file(file_of(image))]
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} of the {len(images)} images that {self.labels} has labels for are missing: '
                f'{_some(missing)}\nRestore them, or make the labels again at the new place of the images; '
                'relative paths start at the working directory'
            )


def _classes_of(labels: str, lazy: bool) -> tuple[str, ...] | None:
    """Return the classes of a labelling; None if it has no manifest yet and ``lazy`` is True."""
    if lazy and not Path(labels, NAME).is_file():
        return None
    return tuple(Manifest.read(Path(labels)).classes)


def _some(paths: list[str]) -> str:
    return ''.join(f'\n  {path}' for path in shortened(paths, _LISTED))
