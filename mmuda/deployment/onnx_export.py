"""Export of trained networks as ONNX files, which are compared with PyTorch."""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from mmuda.checkpoints.loading import SEGMENTOR
from mmuda.files import whole_file
from mmuda.internals import converts_channels, has_usual_predict
from mmuda.models.data_preprocessor import pixel_statistics
from mmuda.models.segmentors import AdaptiveEncoderDecoder
from mmuda.version import __version__

EXPORTED = (EncoderDecoder, AdaptiveEncoderDecoder)
"""Segmentors whose prediction is the upsampled output of their decode head."""

PACKAGES = ('onnx', 'onnxruntime', 'onnxscript')
LABELS, LOGITS = 'labels', 'logits'
TOLERANCE = 1e-3
"""Largest allowed difference of logits between ONNX Runtime and PyTorch, relative to the largest logit."""


class Exported(NamedTuple):
    """Result of an export.

    Attributes:
        path: The file.
        dynamic: Whether the network takes any number of images of any size.
        reason: Reason why it does not; None if it does.
        apart: For logits, the largest difference from PyTorch's relative to the largest logit. For labels, the share
            of pixels with another class than PyTorch's although its best two logits clearly differ, which is 0.
        facts: Metadata in the file, as text by name.
    """

    path: Path
    dynamic: bool
    reason: str | None
    apart: float
    facts: dict[str, str]


class _Network(nn.Module):
    """The exported computation.

    Args:
        segmentor: Segmentor in eval mode.
        output: :data:`LABELS` or :data:`LOGITS`.
    """

    def __init__(self, segmentor: Any, output: str) -> None:
        super().__init__()
        self.segmentor, self.output = segmentor, output

    def forward(self, images: Tensor) -> Tensor:
        """Return labels (N, H, W) uint8 or logits (N, C, H, W) of normalised images (N, 3, H, W)."""
        logits = self.segmentor.decode_head(self.segmentor.extract_feat(images))
        logits = F.interpolate(
            logits, size=images.shape[-2:], mode='bilinear', align_corners=self.segmentor.align_corners
        )
        return logits if self.output == LOGITS else predicted_labels(logits, self.segmentor.decode_head)


def predicted_labels(logits: Tensor, head: Any) -> Tensor:
    """Return the classes (N, H, W) uint8 of logits (N, C, H, W).

    With a single logit, mmseg compares its sigmoid with ``head.threshold``.

    Args:
        logits: The logits.
        head: Decode head of the network. In :class:`AdaptiveEncoderDecoder` a head with one output returns two logits.
    """
    if logits.shape[1] == 1:
        return (logits[:, 0].sigmoid() > head.threshold).to(torch.uint8)
    return logits.argmax(dim=1).to(torch.uint8)


def export_onnx(
    model: Any, path: str | Path, size: Sequence[int] = (512, 1024), output: str = LABELS, dynamic: bool = True
) -> Exported:
    """Write a network with its upsampling as ONNX, and compare it with PyTorch.

    The file has one input, ``images`` (N, 3, H, W) float32, normalised by mean and std in its metadata, and one output
    of the size of the images: ``labels`` (N, H, W) uint8, or ``logits`` (N, C, H, W) float32. The file is written only
    if ONNX Runtime and PyTorch agree, for two sizes if sizes are dynamic.

    Args:
        model: An adaptor or a segmentor, in eval mode.
        path: File to write.
        size: (H, W) of the image that the network is traced with; the only size if sizes are not dynamic.
        output: ``'labels'`` or ``'logits'``.
        dynamic: Whether the network takes images of any size. If the export of this fails, the size is fixed, and the
            result has the reason.

    Returns:
        The written file and facts about it.

    Raises:
        ModuleNotFoundError: If a package is missing; the message has the command that installs it.
        ValueError: If the prediction of the network is more than the upsampled output of its decode head, or the
            output is unknown.
        RuntimeError: If ONNX Runtime and PyTorch disagree.
    """
    check_packages()
    if output not in (LABELS, LOGITS):
        raise ValueError(f'output={output!r}: choose {LABELS!r} or {LOGITS!r}')
    segmentor = getattr(model, SEGMENTOR, model)
    check_exportable(segmentor)
    network = _Network(segmentor, output).cpu().eval()
    metadata = _facts(model, size, output)
    text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    reason: str | None = 'a fixed size was requested'
    apart = 0.0
    with whole_file(path) as draft:
        if dynamic:
            reason, apart = _try_dynamic(network, draft, size)
        if reason is not None:
            _write(network, draft, size, dynamic=False)
        text['dynamic_size'] = json.dumps(reason is None)
        print_log(f'writing {path}', 'current')
        _add_metadata(draft, text)
        apart = max(apart, _difference(network, draft, size))
        if not apart <= (TOLERANCE if output == LOGITS else 0):
            raise RuntimeError(
                f'ONNX Runtime computes something else than PyTorch: {output} differ by {apart:.1e}; nothing is '
                'written. Try another version of onnxscript or onnxruntime'
            )
    return Exported(Path(path), reason is None, reason, apart, text)


def check_packages() -> None:
    """Check that the packages that write and run ONNX are installed.

    Raises:
        ModuleNotFoundError: If some are missing; the message has the command that installs them.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(f'ONNX needs {", ".join(missing)}: pip install -e ".[deploy]"')


def check_exportable(segmentor: Any) -> None:
    """Check that the prediction of a segmentor is the upsampled output of its decode head.

    Raises:
        ValueError: If it is anything else; the message has the remedy.
    """
    own = segmentor if type(segmentor) not in EXPORTED else segmentor.decode_head
    if own is segmentor or not has_usual_predict(own):
        raise ValueError(
            f'{type(own).__name__} has its own way to predict, which an ONNX file would not have; export the plain '
            'network with --cfg-options model.segmentor.type=AdaptiveEncoderDecoder'
        )


def how_to_run(exported: Exported) -> str:
    """Return lines that explain how to run the file."""
    facts = exported.facts
    order = '[..., ::-1]  # RGB' if facts['channel_order'] == 'RGB' else '  # BGR'
    height, width = json.loads(facts['size'])
    shape = 'any size' if exported.dynamic else f'height {height}, width {width} only ({exported.reason})'
    return f"""{exported.path}: images (N, 3, H, W), {shape} -> {facts['output']}
largest difference from PyTorch: {exported.apart:.1e}. To run it:
    import cv2, numpy as np, onnxruntime
    image = cv2.imread('image.png'){order}
    image = (image - np.float32({facts['mean']})) / np.float32({facts['std']})
    session = onnxruntime.InferenceSession('{exported.path.name}')
    (found,) = session.run(None, dict(images=np.float32(image).transpose(2, 0, 1)[None]))
The same numbers, the classes and their colours are in session.get_modelmeta().custom_metadata_map."""


def _facts(model: Any, size: Sequence[int], output: str) -> dict[str, Any]:
    preprocessor = model.data_preprocessor
    mean, std = pixel_statistics(preprocessor, 'target')
    meta = getattr(model, 'dataset_meta', None) or {}
    return dict(
        made_by=f'mmuda {__version__}',
        mean=[round(value, 6) for value in mean.flatten().tolist()],
        std=[round(value, 6) for value in std.flatten().tolist()],
        channel_order='RGB' if converts_channels(preprocessor) else 'BGR',
        size=list(size),
        output=output,
        classes=list(meta.get('classes') or []),
        palette=[list(map(int, colour)) for colour in meta.get('palette') or []],
    )


def _other(size: Sequence[int]) -> tuple[int, int]:
    """Return a size with another aspect ratio, which is usually no multiple of the stride of a network."""
    return size[0] + 13, size[1] + 31


def _try_dynamic(network: _Network, draft: Path, size: Sequence[int]) -> tuple[str | None, float]:
    """Write a network for images of any size, and compare it with PyTorch on images of another size.

    Returns:
        The reason if the network takes one size only, else None; and the difference, 0 with a reason.
    """
    try:
        _write(network, draft, size, dynamic=True)
        return None, _difference(network, draft, _other(size))
    except Exception as error:  # the exporter and the runtime raise errors of many types
        text = str(error).strip().splitlines() or [type(error).__name__]
        print_log(f'the network takes one size only: {error}', 'current', level=logging.DEBUG)
        return text[0][:200], 0.0


def _text(size: Sequence[int]) -> str:
    return f'{size[0]}x{size[1]}'


def _write(network: _Network, draft: Path, size: Sequence[int], dynamic: bool) -> None:
    # Two images: the exporter takes a batch of one as a fixed size.
    images = torch.zeros(2 if dynamic else 1, 3, *size)
    free = torch.export.Dim.DYNAMIC
    print_log(f'tracing the network for images of {"any size" if dynamic else _text(size)}', 'current')
    with _quietly(), torch.no_grad():
        torch.onnx.export(
            network,
            (images,),
            str(draft),
            input_names=['images'],
            output_names=[network.output],
            dynamic_shapes=dict(images={0: free, 2: free, 3: free}) if dynamic else None,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


def _add_metadata(draft: Path, metadata: Mapping[str, str]) -> None:
    import onnx

    content = onnx.load(str(draft))
    onnx.helper.set_model_props(content, dict(metadata))
    onnx.save(content, str(draft))


def _difference(network: _Network, draft: Path, size: Sequence[int]) -> float:
    """Return the difference between ONNX Runtime and PyTorch, see ``Exported.apart``."""
    import onnxruntime

    print_log(f'comparing with PyTorch on 1 image of {_text(size)}', 'current')
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(str(draft), providers=['CPUExecutionProvider'])
    (found,) = session.run(None, dict(images=images.numpy()))
    with torch.no_grad():
        logits = _Network(network.segmentor, LOGITS)(images)
    scale = logits.abs().max().item() or 1.0
    if network.output == LOGITS:
        return float(np.abs(found - logits.numpy()).max()) / scale
    head = network.segmentor.decode_head
    wanted = predicted_labels(logits, head).numpy()
    return float(((found != wanted) & _clear(logits, scale, head)).mean())


def _clear(logits: Tensor, scale: float, head: Any) -> np.ndarray:
    """Return a mask (N, H, W) of the pixels whose class does not depend on rounding errors."""
    if logits.shape[1] == 1:
        return ((logits[:, 0].sigmoid() - head.threshold).abs() > TOLERANCE).numpy()
    best = logits.topk(2, dim=1)[0]
    return (best[:, 0] - best[:, 1] > TOLERANCE * scale).numpy()


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress the warnings of PyTorch's exporter, which are about packages and its own code."""
    loggers = [logging.getLogger(name) for name in ('torch.onnx', 'onnxscript', 'onnx_ir')]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
