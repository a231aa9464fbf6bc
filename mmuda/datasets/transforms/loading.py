"""Reading images and the label files of every data set, in one look-up."""

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
    """mmcv's ``LoadImageFromFile`` for images of more kinds, with one error that names a file that cannot be read.

    Adds ``img`` (H, W, 3) uint8 in BGR order, ``img_shape`` and ``ori_shape`` (H, W). Files of 8 bits are as mmcv
    reads them, alpha left out; images of every format are turned as their EXIF orientation says.

    Beyond: TIFF files of any bands and types (by tifffile, where OpenCV does not read them), ``.npy``, ``.npz`` and,
    by nibabel, slices of NIfTI volumes, see :mod:`~mmuda.datasets.array_files`. Values of more than 8 bits stay as they
    are, in float32: give ``value_range``, or a mean and a deviation of such values to the preprocessor. Grey images
    become three equal channels, unless ``bands`` or ``color_type='unchanged'`` say otherwise.

    Args:
        to_float32: Return float32 instead of uint8.
        color_type: Flag of :func:`mmcv.imfrombytes`; ``'color_ignore_orientation'`` turns no image, ``'unchanged'``
            keeps all bands.
        imdecode_backend: Backend of :func:`mmcv.imfrombytes`, for files of 8 bits.
        backend_args: Of mmengine's file backend.
        bands: Bands to take, counted from 0 in the order of the file: red, green, blue, .... Any number, in any order;
            three are stored as BGR, as if they were red, green and blue.
        value_range: ``(low, high)``: scale these values to 0..255, in float32, and clip the others. ``(0, 65535)`` for
            photographs of 16 bits, ``(0, 4095)`` for 12 bits in a file of 16.
        nan: Value that stands for NaN, before ``value_range``. None makes NaN an error.
        max_pixels: Greatest number of pixels, by the header, for data sets that have no ``max_pixels``: those of mmseg.
        to_uint8: Round the values that ``value_range`` gives to bytes, which all transforms take.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it is empty, truncated, damaged or no image.
        ModuleNotFoundError: If a package is missing that reads such files.
        ValueError: If it has more pixels than ``max_pixels`` of its data set allows, NaN, or not the bands.
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
        """Return what reads windows of a file for :meth:`read_window`; None for one that is read as a whole."""
        plain = self.imdecode_backend == 'cv2' and not self.color_type.startswith('grayscale')
        return open_windows(path, self.backend_args) if plain else None

    def read_window(self, reader: WindowReader, window: Window, path: str) -> np.ndarray:
        """Return a window of the image that :meth:`read` returns.

        Args:
            reader: From :meth:`open`.
            window: Which part.
            path: The file.
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
    """Reads a label file as it was published and maps its ids to those the network is trained with.

    Palette PNG (GTA5: the indices are the ids), 8-bit (Cityscapes, Synscapes, Cross-City), 16-bit,
    multi-channel (SYNTHIA), 1-bit and colour-coded files, TIFF, ``.npy`` and ``.npz`` are read, see
    :func:`~mmuda.datasets.label_files.decode_label`; raw id -> train id -> id among the data
    set's own classes (``label_map``) is one look-up. Works with any mmseg data set, whose own
    ``LoadAnnotations`` it replaces.

    Adds ``gt_seg_map`` (H, W) uint8, and its name to ``seg_fields``.

    Args:
        table: Label table: a name (see :func:`~mmuda.datasets.label_tables.label_table_names`), a palette of mmseg
            (``'cityscapes_palette'``), or a dict ``{raw id: train id}`` or ``{(red, green, blue): train id}``. None
            takes ``results['label_table']``, which the data sets of mmuda give.
        unknown: Train id of raw ids that are not in the table, normally 255 (ignore). None makes
            them an error.
        channel: Channel in RGB order that holds the ids of multi-channel files. None takes
            ``results['label_channel']``.
        required: False passes images without a label on as they are: test pipelines also serve inference.
        backend_args: Of mmengine's file backend.
        max_pixels: As of :class:`LoadDomainImage`.

    Raises:
        FileNotFoundError: If the label file does not exist.
        OSError: If it is truncated, damaged or no image.
        ValueError: If it holds ids that the table does not know, has channels and none was chosen,
            differs in size from its image, has more pixels than ``max_pixels`` of its data set allows, or no label
            belongs to the image.
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
                f'no label file belongs to {results.get("img_path")}: take LoadDomainAnnotations '
                'out of the pipeline of an unlabelled data set, or give the data set its labels'
            )
        if results.get('reduce_zero_label'):
            raise ValueError(
                f'{path}: reduce_zero_label=True and a label table contradict each '
                'other; write the wanted ids into the table'
            )
        table = self.table or results.get('label_table')
        if table is None:
            raise ValueError(
                f'{path}: the data set does not say what its label ids mean; name a table, as in '
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
        """Return the ids or colours in a label file, of the window that was loaded of its image."""
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
        # Not img_shape: mmseg's test pipelines load labels after they have resized the image.
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
