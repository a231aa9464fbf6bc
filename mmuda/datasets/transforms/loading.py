"""Loading of images, and of labels, whose published ids are mapped by one look-up."""

from collections.abc import Mapping, Sequence

import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmseg.registry import TRANSFORMS

from mmuda.constants import IGNORE_INDEX

from ..image_files import MAX_PIXELS, read_image_bytes
from ..image_pixels import decode_image, scaled, select_bands, stored_image
from ..image_windows import WINDOW, Window, WindowReader, open_windows
from ..label_files import decode_label, map_ids, stored_label
from ..label_tables import UNKNOWN, LabelTable, get_label_table, lookup_array


@TRANSFORMS.register_module()
class LoadDomainImage(LoadImageFromFile):
    """mmcv's ``LoadImageFromFile`` for more kinds of images, with errors that name the file and the remedy.

    Adds ``img`` (H, W, 3) uint8 in BGR order, ``img_shape`` and ``ori_shape`` (H, W). Files of 8 bits are read as mmcv
    does, without alpha. The EXIF orientation of images of every format is applied.

    Further formats are TIFF files with any bands and types (with tifffile, where OpenCV does not read them), ``.npy``,
    ``.npz`` and, with nibabel, slices of NIfTI volumes; see :mod:`~mmuda.datasets.array_files`. Values of more than 8
    bits are not scaled and become float32: set ``value_range``, or set mean and std of the preprocessor for such
    values. Grey images become three equal channels, unless ``bands`` or ``color_type='unchanged'`` is set.

    Args:
        to_float32: Return float32 instead of uint8.
        color_type: Flag of :func:`mmcv.imfrombytes`. ``'color_ignore_orientation'`` does not apply the EXIF
            orientation, ``'unchanged'`` keeps all bands.
        imdecode_backend: Backend of :func:`mmcv.imfrombytes`, for files of 8 bits.
        backend_args: Arguments of mmengine's file backend.
        bands: Indices of the bands to take, counted from 0 in the order of the file: red, green, blue, .... Any number
            is possible, in any order. Three bands are stored in reverse order, like red, green and blue as BGR.
        value_range: ``(low, high)``: values that are scaled to 0 and 255, in float32; values outside are clipped. Set
            ``(0, 65535)`` for photographs of 16 bits, ``(0, 4095)`` for 12 bits in a file of 16.
        nan: Value that replaces NaN and infinite values, before ``value_range`` is applied. None makes them an error.
        max_pixels: Largest number of pixels according to the header, for data sets without a ``max_pixels`` of their
            own, such as those of mmseg. None allows any.
        to_uint8: Round the values that ``value_range`` gives to uint8, which all transforms accept.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it is empty, truncated, damaged or not an image.
        ModuleNotFoundError: If a package that reads such files is missing.
        ValueError: If a setting is not valid. For an image: if it has more pixels than ``max_pixels`` of its data set
            allows, has NaN, or lacks one of the bands.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'cv2',
        backend_args: dict | None = None,
        bands: Sequence[int] | None = None,
        value_range: Sequence[float] | None = None,
        nan: float | None = None,
        max_pixels: int | None = MAX_PIXELS,
        to_uint8: bool = False,
    ) -> None:
        super().__init__(
            to_float32=to_float32, color_type=color_type, imdecode_backend=imdecode_backend, backend_args=backend_args
        )
        if bands is not None and (not bands or any(not isinstance(band, int) or band < 0 for band in bands)):
            raise ValueError(f'bands={bands!r}, expected numbers of bands, counted from 0, such as (3, 2, 1)')
        if value_range is not None and not (len(value_range) == 2 and value_range[0] < value_range[1]):
            raise ValueError(f'value_range={value_range!r}, expected (low, high), such as (0, 65535)')
        self.bands = None if bands is None else tuple(bands)
        self.value_range = None if value_range is None else tuple(value_range)
        self.nan, self.to_uint8 = nan, to_uint8
        self.max_pixels = max_pixels
        if to_uint8 and (value_range is None or to_float32):
            raise ValueError('to_uint8=True needs value_range=(low, high), and to_float32=False')

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``."""
        image = results['img'] = self.read(results['img_path'], results.get('max_pixels', self.max_pixels))
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def read(self, path: str, max_pixels: int | None = MAX_PIXELS) -> np.ndarray:
        """Return the image in a file."""
        data = read_image_bytes(path, self.backend_args, max_pixels)
        return self._finished(decode_image(data, path, self._decoded_as, self.imdecode_backend, self.nan), path)

    def open(self, path: str) -> WindowReader | None:
        """Return the reader of a file for :meth:`read_window`; None if the file has to be read as a whole."""
        plain = self.imdecode_backend == 'cv2' and not self.color_type.startswith('grayscale')
        return open_windows(path, self.backend_args) if plain else None

    def read_window(self, reader: WindowReader, window: Window, path: str) -> np.ndarray:
        """Return a window of the image that :meth:`read` returns, without reading all of it.

        Args:
            reader: Reader from :meth:`open`.
            window: Part of the image.
            path: Path of the file, for messages.
        """
        return self._finished(stored_image(reader.read(window), path, self._decoded_as, reader.alpha, self.nan), path)

    @property
    def _decoded_as(self) -> str:
        return self.color_type if self.bands is None else 'unchanged'

    def _finished(self, image: np.ndarray, path: str) -> np.ndarray:
        if self.bands is not None:
            image = select_bands(image, self.bands, path)
        if self.value_range is not None:
            image = scaled(image, *self.value_range)
        if self.to_uint8:
            return np.rint(image).astype(np.uint8)
        return image.astype(np.float32) if self.to_float32 else image


@TRANSFORMS.register_module()
class LoadDomainAnnotations(BaseTransform):
    """A transform that loads a label file as published and maps its ids to those that the network is trained with.

    Palette PNG (GTA5: the indices are the ids), 8-bit (Cityscapes, Synscapes, Cross-City), 16-bit, multi-channel
    (SYNTHIA), 1-bit and colour-coded files, TIFF, ``.npy`` and ``.npz`` are read; see
    :func:`~mmuda.datasets.label_files.decode_label`. One look-up maps the raw id to the train id, and that to the id
    among the classes of the data set (``label_map``). It works with any data set of mmseg, and replaces mmseg's
    ``LoadAnnotations``.

    Adds ``gt_seg_map`` (H, W) uint8, and its name to ``seg_fields``.

    Args:
        table: Label table: a name (see :func:`~mmuda.datasets.label_tables.label_table_names`), a palette of mmseg
            (``'cityscapes_palette'``), or a dict ``{raw id: train id}`` or ``{(red, green, blue): train id}``. None
            takes ``results['label_table']``, which the data sets of mmuda add to their samples.
        unknown: Train id for raw ids that are not in the table, normally 255 (ignored). None makes them an error.
        channel: Index of the channel that holds the ids in multi-channel files, in RGB order. None takes
            ``results['label_channel']``.
        required: False passes on images without a label unchanged, because test pipelines are also used for inference.
        backend_args: Arguments of mmengine's file backend.
        max_pixels: As for :class:`LoadDomainImage`.

    Raises:
        FileNotFoundError: If the label file does not exist.
        OSError: If it is truncated, damaged or not an image.
        ModuleNotFoundError: If a package that reads such files is missing.
        ValueError: If it has ids that are not in the table, has several channels and none was chosen, differs in size
            from its image, or has more pixels than ``max_pixels`` of its data set allows. Also if the image has no
            label, no table is known, or ``reduce_zero_label`` is set.
    """

    def __init__(
        self,
        table: str | Mapping | LabelTable | None = None,
        unknown: int | None = None,
        channel: int | None = None,
        required: bool = True,
        backend_args: dict | None = None,
        max_pixels: int | None = MAX_PIXELS,
    ) -> None:
        if unknown is not None and not (0 <= unknown < UNKNOWN or unknown == IGNORE_INDEX):
            raise ValueError(
                f'unknown must be a train id 0..{UNKNOWN - 1} or {IGNORE_INDEX} (ignore), but got {unknown}'
            )
        self.table = None if table is None else get_label_table(table)
        self.unknown = unknown
        self.channel = channel
        self.required = required
        self.backend_args = backend_args
        self.max_pixels = max_pixels

    def transform(self, results: dict) -> dict:
        """Load ``results['seg_map_path']``."""
        path = results.get('seg_map_path')
        if path is None and not self.required:
            return results
        if path is None:
            raise ValueError(
                f'no label file belongs to {results.get("img_path")}: remove LoadDomainAnnotations '
                'from the pipeline of an unlabelled data set, or give the data set its labels'
            )
        if results.get('reduce_zero_label'):
            raise ValueError(
                f'{path}: reduce_zero_label=True and a label table contradict each '
                'other; write the wanted ids into the table'
            )
        table = self.table or results.get('label_table')
        if table is None:
            raise ValueError(
                f'{path}: the data set has no label table that maps its label ids; name a table, as in '
                "dict(type='LoadDomainAnnotations', table='cityscapes')"
            )
        table = get_label_table(table)
        channel = results.get('label_channel') if self.channel is None else self.channel
        ids = self._read(results, path, channel, table)
        label_map = results.get('label_map')
        if label_map is not None:
            label_map = tuple(sorted(label_map.items()))
        lookup = lookup_array(table, self.unknown, label_map)
        results['gt_seg_map'] = map_ids(ids, lookup, path, table)
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def _read(self, results: dict, path: str, channel: int | None, table: LabelTable) -> np.ndarray:
        """Return the ids or colours in a label file, or in the window of it that was loaded of its image."""
        window: Window | None = results.get(WINDOW)
        if window is not None:
            reader = open_windows(path, self.backend_args, indices=not table.colours)
            if reader is not None:
                self._check_size(results, reader.size, path)
                return stored_label(reader.read(window), path, channel, table.colours)
        data = read_image_bytes(path, self.backend_args, results.get('max_pixels', self.max_pixels))
        ids = decode_label(data, path, channel, table.colours)
        self._check_size(results, ids.shape, path)
        return ids if window is None else np.ascontiguousarray(window.of(ids))

    @staticmethod
    def _check_size(results: dict, size: tuple[int, ...], path: str) -> None:
        """Compare the size (H, W) of a label file with that of its image."""
        # img_shape is not compared, because test pipelines of mmseg load labels after they have resized the image.
        if results.get('img') is None or tuple(results['ori_shape'][:2]) == size:
            return
        if not results.get('same_size', True) and WINDOW not in results:
            return
        height, width = results['ori_shape'][:2]
        raise ValueError(
            'image and label differ in size (width x height): '
            f'{results.get("img_path")} is {width}x{height}, '
            f'{path} is {size[1]}x{size[0]}; repair the pair, or leave such pairs '
            "out with mismatched='skip' in the data set"
        )

    def __repr__(self) -> str:
        table = self.table.name if self.table else None
        return f'{type(self).__name__}(table={table!r}, unknown={self.unknown}, channel={self.channel})'
