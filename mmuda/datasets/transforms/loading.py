"""Reading images and the label files of every data set, in one look-up."""

import io
from collections.abc import Mapping

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmseg.registry import TRANSFORMS

from mmuda.constants import IGNORE_INDEX

from ..image_files import JPEG_SIGNATURE, MAX_PIXELS, PNG_SIGNATURE, open_image, read_image_bytes, unreadable
from ..label_tables import UNKNOWN, LabelTable, get_label_table, lookup_array, ranges

_PNG_GREY, _PNG_PALETTE = 0, 3


@TRANSFORMS.register_module()
class LoadDomainImage(LoadImageFromFile):
    """mmcv's ``LoadImageFromFile``, with one error that names the file when it cannot be read.

    Adds ``img`` (H, W, 3) uint8 in BGR order, ``img_shape`` and ``ori_shape`` (H, W).

    Args:
        to_float32: Return float32 instead of uint8.
        color_type: Flag of :func:`mmcv.imfrombytes`.
        imdecode_backend: Backend of :func:`mmcv.imfrombytes`.
        backend_args: Of mmengine's file backend.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it is empty, truncated, damaged or no image.
        ValueError: If it has more pixels than ``max_pixels`` of its data set allows.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'cv2',
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(
            to_float32=to_float32, color_type=color_type, imdecode_backend=imdecode_backend, backend_args=backend_args
        )

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``."""
        path = results['img_path']
        data = read_image_bytes(path, self.backend_args, results.get('max_pixels', MAX_PIXELS))
        try:
            image = mmcv.imfrombytes(data, flag=self.color_type, backend=self.imdecode_backend)
        except (cv2.error, OSError, SyntaxError, ValueError) as error:
            raise unreadable(path, str(error)) from error
        if image is None:
            raise unreadable(path, f'the {self.imdecode_backend} decoder gave up')
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadDomainAnnotations(BaseTransform):
    """Reads a label file as it was published and maps its ids to those the network is trained with.

    Palette PNG (GTA5: the indices are the ids), 8-bit (Cityscapes, Synscapes, Cross-City), 16-bit
    and multi-channel files (SYNTHIA) are read; raw id -> Cityscapes train id -> id among the data
    set's own classes (``label_map``) is one look-up. Works with any mmseg data set, whose own
    ``LoadAnnotations`` it replaces.

    Adds ``gt_seg_map`` (H, W) uint8, and its name to ``seg_fields``.

    Args:
        table: Label table: a name (see :func:`~mmuda.datasets.label_tables.label_table_names`) or a
            dict ``{raw id: train id}``. None takes ``results['label_table']``, which the data sets
            of mmuda give.
        unknown: Train id of raw ids that are not in the table, normally 255 (ignore). None makes
            them an error.
        channel: Channel in RGB order that holds the ids of multi-channel files. None takes
            ``results['label_channel']``.
        required: False passes images without a label on as they are: test pipelines also serve inference.
        backend_args: Of mmengine's file backend.

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
        data = read_image_bytes(path, self.backend_args, results.get('max_pixels', MAX_PIXELS))
        ids = decode_label(data, path, channel)
        # Not img_shape: mmseg's test pipelines load labels after they have resized the image.
        if (
            results.get('same_size', True)
            and results.get('img') is not None
            and tuple(results['ori_shape'][:2]) != ids.shape
        ):
            height, width = results['ori_shape'][:2]
            raise ValueError(
                'image and label differ in size (width x height): '
                f'{results.get("img_path")} is {width}x{height}, '
                f'{path} is {ids.shape[1]}x{ids.shape[0]}; repair the pair, or leave such pairs '
                "out with mismatched='skip' in the data set"
            )
        label_map = results.get('label_map')
        if label_map is not None:
            label_map = tuple(sorted(label_map.items()))
        lookup = lookup_array(table, self.unknown, label_map)
        results['gt_seg_map'] = map_ids(ids, lookup, path, table)
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def __repr__(self) -> str:
        table = self.table.name if self.table else None
        return f'{type(self).__name__}(table={table!r}, unknown={self.unknown}, channel={self.channel})'


def decode_label(data: bytes, path: str, channel: int | None = None) -> np.ndarray:
    """The ids in a label file, unchanged.

    Args:
        data: The file.
        path: Its name, for messages.
        channel: Which channel holds the ids, in RGB order; used for multi-channel files only.

    Returns:
        (H, W) uint8 or uint16.

    Raises:
        OSError: If it cannot be decoded.
        ValueError: If it has channels and none was chosen, or is in a format that cannot hold ids.
    """
    if data.startswith(JPEG_SIGNATURE):
        raise ValueError(f'{path} is a JPEG file, whose compression changes label ids: use PNG')
    depth, colour = data[24:26] if data.startswith(PNG_SIGNATURE) else (8, None)
    if colour == _PNG_GREY and depth < 8:
        raise ValueError(f'{path} is a {depth}-bit grey PNG, whose ids decoders scale up: save it with 8 bits')
    try:
        if colour == _PNG_PALETTE:
            # OpenCV would look the colours up and lose the ids.
            with open_image(io.BytesIO(data)) as image:
                return np.asarray(image)
        ids = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, OSError, SyntaxError, ValueError) as error:
        raise unreadable(path, str(error)) from error
    if ids is None:
        raise unreadable(path, 'the decoder gave up')
    if ids.dtype not in (np.uint8, np.uint16):
        raise ValueError(f'{path} holds {ids.dtype} values; label ids are 8- or 16-bit unsigned integers')
    channels = 1 if ids.ndim == 2 else ids.shape[2]
    if channels == 1 and not channel:
        return ids.reshape(ids.shape[:2])
    if channel is None:
        raise ValueError(
            f'{path} has {channels} channels: say which one holds the label ids '
            '(channel=0 is red), or, if these are colours, use the id files of the '
            'data set'
        )
    if not 0 <= channel < channels:
        raise ValueError(f'{path} has {channels} channel(s), but channel {channel} was asked for')
    # OpenCV's order is blue, green, red, alpha.
    return cv2.extractChannel(ids, 2 - channel if channel < 3 else channel)


def map_ids(ids: np.ndarray, lookup: np.ndarray, path: str, table: LabelTable) -> np.ndarray:
    """Apply a look-up array of :func:`~mmuda.datasets.label_tables.lookup_array`.

    Args:
        ids: (H, W) uint8 or uint16.
        lookup: (65536,) uint8.
        path: Label file, for messages.
        table: The table behind the look-up, for messages.

    Returns:
        (H, W) uint8.

    Raises:
        ValueError: If an id is unknown.
    """
    trains = cv2.LUT(ids, lookup[:256]) if ids.dtype == np.uint8 else lookup.take(ids, mode='clip')
    unknown = trains == UNKNOWN
    if unknown.any():
        found = ranges(np.unique(ids[unknown]).tolist())
        raise ValueError(
            f'{path} holds the label ids {found}, which the label table {table.name!r} does not '
            f'have (it has {table.known}): use the table of this data set, add the ids to a table '
            "of your own, or ignore them with dict(type='LoadDomainAnnotations', unknown=255)"
        )
    return trains
