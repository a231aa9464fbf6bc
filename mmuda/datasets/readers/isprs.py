"""Readers of ISPRS Potsdam and Vaihingen."""

import os.path as osp
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import mmengine.fileio as fileio
from mmseg.registry import DATASETS

from mmuda.settings import shortened

from ..published_tables import OWN_CLASSES
from .published import PublishedDataset, one_of

SUFFIX, ERODED = '.tif', '_noBoundary'


class ISPRSTiles(PublishedDataset):
    """Tiles of the ISPRS 2D Semantic Labeling Contest, six classes, as downloaded or as mmseg's converters cut them.

    As downloaded, tiles are TIFF files with thousands of pixels along each side, and labels are colours. They can be in
    the folders of their archives, or in the archives themselves (``data_root='zip://...'``). ``LoadDomainWindow`` reads
    windows of them. If there is a folder ``img_dir`` below ``data_root``, the files of mmseg's converters are read:
    ``img_dir/train/NAME.png`` and ``ann_dir/train/NAME.png`` of 512x512 pixels, with 0 for ignored pixels.

    Args:
        split: ``'train'`` for the training tiles of the contest, ``'val'`` for its test tiles.
        eroded: Of the labels as downloaded, take those without the borders of objects (``*_noBoundary.tif``, in which
            borders are black and ignored), as mmseg's converters do.
        use_labels: As in :class:`PublishedDataset`.
        data_prefix: As in :class:`PublishedDataset`, for converted tiles.
        **kwargs: Further arguments of :class:`PublishedDataset`.

    Raises:
        FileNotFoundError: If an image of the split is missing, or all labels are.
    """

    METAINFO = OWN_CLASSES['isprs']
    FOLDERS = dict(train=('img_dir/train', 'ann_dir/train'), val=('img_dir/val', 'ann_dir/val'))
    TABLE = 'isprs'
    COLOUR_TABLE = 'potsdam_palette'

    TILES: ClassVar[Mapping[str, Sequence[str]]]
    """Names of the tiles, by split."""

    def __init__(
        self,
        split: str = 'train',
        eroded: bool = True,
        use_labels: bool = True,
        data_prefix: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        self.eroded = eroded
        folder = osp.join(kwargs.get('data_root') or '', 'img_dir')
        self.converted = data_prefix is not None or fileio.isdir(folder, kwargs.get('backend_args'))
        if not self.converted:
            data_prefix = dict(img_path='', seg_map_path='' if use_labels else None)
            own = dict(label_table=self.COLOUR_TABLE, img_suffix=SUFFIX, seg_map_suffix=SUFFIX)
            kwargs = {**own, **kwargs}
        super().__init__(split=split, use_labels=use_labels, data_prefix=data_prefix, **kwargs)

    def image_name(self, tile: str) -> str:
        """Return the last part of the path of a tile's image."""
        raise NotImplementedError

    def label_name(self, tile: str) -> str:
        """Return the last part of the path of a tile's label."""
        raise NotImplementedError

    def _names(self) -> list[tuple[str, str | None]]:
        if self.converted:
            return super()._names()
        listed = fileio.list_dir_or_file(
            self._img_dir, list_dir=False, suffix=SUFFIX, recursive=True, backend_args=self.backend_args
        )
        files, tiles = sorted(listed), self.TILES[self.split]
        images = [_found(files, self.image_name(tile)) for tile in tiles]
        missing = [self.image_name(tile) for tile, image in zip(tiles, images, strict=True) if image is None]
        if missing:
            told = ', '.join(map(str, shortened(missing, 3)))
            raise FileNotFoundError(
                f'{self._name}: {len(missing)} of {len(tiles)} images are missing below {self._img_dir}: {told}. '
                f'{self._expected}'
            )
        rest = [name for name in files if name not in images]
        wanted = [self.label_name(tile) for tile in tiles]
        labels: list[str | None] = [None] * len(tiles)
        if 'seg_map_path' in self.data_prefix:
            labels = [_found(rest, name) or name for name in wanted]
            if not set(labels) & set(rest):
                other = (
                    'complete labels are read with eroded=False' if self.eroded else 'eroded=True reads *_noBoundary'
                )
                raise FileNotFoundError(
                    f'{self._name}: no label such as {wanted[0]} is below {self._img_dir}; {other}. {self._expected}'
                )
        return [(image, label) for image, label in zip(images, labels, strict=True) if image is not None]


@DATASETS.register_module()
class RawPotsdamDataset(ISPRSTiles):
    """Potsdam (38 tiles of 6000x6000 pixels, 5 cm), as downloaded or from mmseg's converter.

    As downloaded, images are ``top_potsdam_2_10_RGB.tif`` of ``2_Ortho_RGB.zip``, or one of the two other sets of
    images, and labels are ``top_potsdam_2_10_label_noBoundary.tif`` of ``5_Labels_all_noBoundary.zip``. Vaihingen's
    bands are near infrared, red and green. Pairs with it need ``bands='IRRG'`` here, or ``bands='RGBIR'`` here and
    ``bands=(3, 0, 1)`` in the loader. Converted files do not show from which set of images they were made.

    Args:
        bands: ``'RGB'``, ``'IRRG'`` (``3_Ortho_IRRG.zip``) or ``'RGBIR'`` (``4_Ortho_RGBIR.zip``), as downloaded.
        **kwargs: Further arguments of :class:`ISPRSTiles`.
    """

    LAYOUT = (
        'top_potsdam_2_10_RGB.tif, ... (IRRG, RGBIR) and top_potsdam_2_10_label_noBoundary.tif, ... as downloaded, in '
        "any folder; or img_dir/train/NAME.png and ann_dir/train/NAME.png of mmseg's tools/dataset_converters"
    )
    TILES = dict(
        train=(
            *('2_10', '2_11', '2_12', '3_10', '3_11', '3_12', '4_10', '4_11', '4_12', '5_10', '5_11', '5_12'),
            *('6_7', '6_8', '6_9', '6_10', '6_11', '6_12', '7_7', '7_8', '7_9', '7_10', '7_11', '7_12'),
        ),
        val=(
            *('2_13', '2_14', '3_13', '3_14', '4_13', '4_14', '4_15'),
            *('5_13', '5_14', '5_15', '6_13', '6_14', '6_15', '7_13'),
        ),
    )

    def __init__(self, bands: str = 'RGB', **kwargs: Any) -> None:
        self.bands = one_of('bands', bands, ('RGB', 'IRRG', 'RGBIR'), type(self).__name__)
        super().__init__(**kwargs)

    def image_name(self, tile: str) -> str:
        """Return the last part of the path of a tile's image."""
        return f'top_potsdam_{tile}_{self.bands}{SUFFIX}'

    def label_name(self, tile: str) -> str:
        """Return the last part of the path of a tile's label."""
        return f'top_potsdam_{tile}_label{ERODED if self.eroded else ""}{SUFFIX}'


@DATASETS.register_module()
class RawVaihingenDataset(ISPRSTiles):
    """Vaihingen (33 tiles of about 2000x2500 pixels, 9 cm), as downloaded or from mmseg's converter.

    As downloaded, images are ``top/top_mosaic_09cm_area1.tif`` of ``ISPRS_semantic_labeling_Vaihingen.zip``, and labels
    are ``top_mosaic_09cm_area1_noBoundary.tif`` of ``..._ground_truth_eroded_COMPLETE.zip``. Red, green and blue of the
    files are near infrared, red and green, so vegetation looks red.

    Args:
        **kwargs: Further arguments of :class:`ISPRSTiles`.
    """

    LAYOUT = (
        'top/top_mosaic_09cm_area1.tif, ... and top_mosaic_09cm_area1_noBoundary.tif, ... as downloaded, labels in any '
        "folder; or img_dir/train/NAME.png and ann_dir/train/NAME.png of mmseg's tools/dataset_converters"
    )
    TILES = dict(
        train=tuple(f'area{number}' for number in (1, 3, 5, 7, 11, 13, 15, 17, 21, 23, 26, 28, 30, 32, 34, 37)),
        val=tuple(f'area{number}' for number in (2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 24, 27, 29, 31, 33, 35, 38)),
    )

    def image_name(self, tile: str) -> str:
        """Return the last part of the path of a tile's image. The folder distinguishes it from the complete label."""
        return f'top/top_mosaic_09cm_{tile}{SUFFIX}'

    def label_name(self, tile: str) -> str:
        """Return the last part of the path of a tile's label."""
        return f'top_mosaic_09cm_{tile}{ERODED if self.eroded else ""}{SUFFIX}'


def _found(files: Sequence[str], name: str) -> str | None:
    """Return the first path that ends with ``name``; None if there is none."""
    return next((file for file in files if f'/{file}'.endswith(f'/{name}')), None)
