"""Trained networks as ONNX files, checked against PyTorch."""

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
"""Largest difference of logits, by their largest value, between ONNX Runtime and PyTorch."""


class Exported(NamedTuple):
    """A network that was written.

    Attributes:
        path: The file.
        dynamic: Whether it takes images of any size, and any number of them.
        reason: Why it does not.
        apart: Largest difference of the logits from PyTorch's, by the largest logit; of labels the share of pixels
            that differ although PyTorch prefers its class clearly, which is 0.
        facts: Metadata in the file, as text by name.
    """

    path: Path
    dynamic: bool
    reason: str | None
    apart: float
    facts: dict[str, str]


class _Network(nn.Module):
    """The computation that is exported.

    Args:
        segmentor: In eval mode.
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
    """Return the classes (N, H, W) uint8 of logits (N, C, H, W); mmseg compares the sigmoid of one alone with a bound.

    Args:
        logits: The logits.
        head: Decode head of mmseg, whose ``threshold`` that is. In ours a head with one output has two logits.
    """
    if logits.shape[1] == 1:
        return (logits[:, 0].sigmoid() > head.threshold).to(torch.uint8)
    return logits.argmax(dim=1).to(torch.uint8)


def export_onnx(
    model: Any, path: str | Path, size: Sequence[int] = (512, 1024), output: str = LABELS, dynamic: bool = True
) -> Exported:
    """Write a network with its upsampling as ONNX, and compare it with PyTorch.

    The file has one input, ``images`` (N, 3, H, W) float32, normalised as its metadata say, and one output of the size
    of the images: ``labels`` (N, H, W) uint8, or ``logits`` (N, C, H, W) float32. It appears only if ONNX Runtime
    computes what PyTorch does, in two sizes if sizes are dynamic.

    Args:
        model: An adaptor or a segmentor, in eval mode.
        path: File to write.
        size: (H, W) of the image that it is traced with; the only one if sizes are not dynamic.
        output: ``'labels'`` or ``'logits'``.
        dynamic: Take images of any size. A network that cannot, gets the fixed size, and the result says why.

    Raises:
        ModuleNotFoundError: If a package is missing, with the command that installs it.
        ValueError: If the network predicts in a way of its own.
        RuntimeError: If ONNX Runtime computes something else than PyTorch.
    """
    check_packages()
    if output not in (LABELS, LOGITS):
        raise ValueError(f'output={output!r}: choose {LABELS!r} or {LOGITS!r}')
    segmentor = getattr(model, SEGMENTOR, model)
    check_exportable(segmentor)
    network = _Network(segmentor, output).cpu().eval()
    metadata = _facts(model, size, output)
    text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    reason: str | None = 'a fixed size was asked for'
    with whole_file(path) as draft:
        if dynamic:
            reason = _dynamic_problem(network, draft, size)
        if reason is not None:
            _write(network, draft, size, dynamic=False)
        text['dynamic_size'] = json.dumps(reason is None)
        _add_metadata(draft, text)
        apart = max(_difference(network, draft, one) for one in ([size] if reason else [size, _other(size)]))
        if not apart <= (TOLERANCE if output == LOGITS else 0):
            raise RuntimeError(
                f'ONNX Runtime computes something else than PyTorch: {output} are apart by {apart:.1e}; nothing is '
                'written. Another version of onnxscript or onnxruntime may do'
            )
    return Exported(Path(path), reason is None, reason, apart, text)


def check_packages() -> None:
    """Check that the packages are there which write and run ONNX.

    Raises:
        ModuleNotFoundError: Naming those that are not, with the command that installs them.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(f'ONNX needs {", ".join(missing)}: pip install -e ".[deploy]"')


def check_exportable(segmentor: Any) -> None:
    """Check that the prediction of a segmentor is the upsampled output of its decode head.

    Raises:
        ValueError: If it is anything else, with the remedy.
    """
    own = segmentor if type(segmentor) not in EXPORTED else segmentor.decode_head
    if own is segmentor or not has_usual_predict(own):
        raise ValueError(
            f'{type(own).__name__} predicts in a way of its own, which an ONNX file would not do; the plain network is '
            'exported with --cfg-options model.segmentor.type=AdaptiveEncoderDecoder'
        )


def how_to_run(exported: Exported) -> str:
    """Return lines that say how the file is run."""
    facts = exported.facts
    order = '[..., ::-1]  # RGB' if facts['channel_order'] == 'RGB' else '  # BGR'
    height, width = json.loads(facts['size'])
    shape = 'any size' if exported.dynamic else f'height {height}, width {width} only ({exported.reason})'
    return f"""{exported.path}: images (N, 3, H, W), {shape} -> {facts['output']}
as PyTorch computes them, apart by {exported.apart:.1e}. To run it:
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
    """Return a size of other proportions, and no multiple of anything."""
    return size[0] + 13, size[1] + 31


def _dynamic_problem(network: _Network, draft: Path, size: Sequence[int]) -> str | None:
    """Write a network for images of any size; return why that fails, or None."""
    try:
        _write(network, draft, size, dynamic=True)
        _difference(network, draft, _other(size))
    except Exception as error:  # the exporter and the runtime raise errors of many types
        text = str(error).strip().splitlines() or [type(error).__name__]
        print_log(f'the network takes one size only: {error}', 'current', level=logging.DEBUG)
        return text[0][:200]
    return None


def _write(network: _Network, draft: Path, size: Sequence[int], dynamic: bool) -> None:
    # Two images: a batch of one would be taken for the only one that is possible.
    images = torch.zeros(2 if dynamic else 1, 3, *size)
    free = torch.export.Dim.DYNAMIC
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
    """Return how far ONNX Runtime is from PyTorch, see :class:`Exported`."""
    import onnxruntime

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
    """Return the pixels (N, H, W) whose class would not change with a rounding."""
    if logits.shape[1] == 1:
        return ((logits[:, 0].sigmoid() - head.threshold).abs() > TOLERANCE).numpy()
    best = logits.topk(2, dim=1)[0]
    return (best[:, 0] - best[:, 1] > TOLERANCE * scale).numpy()


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the remarks of PyTorch's exporter off the terminal: they are about packages and its own code."""
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
