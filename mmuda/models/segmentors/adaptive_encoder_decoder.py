"""mmseg's EncoderDecoder that can also return the features and the logits of every head."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmuda.internals import has_usual_predict
from mmuda.labeling import argmax_classes

from .head_outputs import class_levels, class_logits, heads_of, own_loss_levels
from .one_output import as_two_outputs
from .seg_outputs import SegOutputs

PROBABILITIES_AT: dict[str, dict[str, Any]] = dict(
    image=dict(size='image'), input=dict(size='input'), input_soft=dict(size='input', softmax_first=True)
)
"""Arguments of :meth:`AdaptiveEncoderDecoder.probabilities` for each value of ``at`` in a config.

``at`` is the resolution of the predictions that become pseudo labels, see the glossary.
"""


@MODELS.register_module()
class AdaptiveEncoderDecoder(EncoderDecoder):
    """An :class:`mmseg.models.EncoderDecoder` with the further forward modes ``outputs``, ``supervised``, ``features``.

    Adaptation losses need the logits of every head and the features, also for images without labels. The modes are
    modes of ``forward`` because a distributed wrapper only forwards calls of ``forward``. Arguments and the modes
    ``loss``, ``predict`` and ``tensor`` are mmseg's. A config can therefore use any backbone and neck of mmseg, and any
    head that returns one map of logits. Of the heads that return several maps, those in :data:`CLASS_MAPS` are
    supported.

    A level is a head that predicts classes: ``main`` is the decode head, ``aux`` an auxiliary head. An auxiliary head
    with its own kind of loss (STDC's ``STDCHead``, which learns boundaries) is no level of the outputs. Of the further
    modes, only ``supervised`` runs it, and adaptation losses do not use it.

    A head with ``num_classes=2``, ``out_channels=1`` and ``threshold=0.5`` works with every method: its sigmoid is
    treated as a softmax of two classes, see :func:`~mmuda.models.segmentors.one_output.as_two_outputs`.

    Args:
        *args: As :class:`mmseg.models.EncoderDecoder`.
        **kwargs: As :class:`mmseg.models.EncoderDecoder`. ``test_cfg`` also takes ``via_input``, see :meth:`predict`.
    """

    _compiled: Callable[..., SegOutputs] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for level, head in self.heads().items():
            if as_two_outputs(head, 'decode_head' if level == 'main' else 'auxiliary_head') and level == 'main':
                self.out_channels = 2

    def forward(
        self, inputs: Tensor, data_samples: SampleList | None = None, mode: str = 'tensor'
    ) -> SegOutputs | dict | list | Tensor:
        """Return the result of one of mmseg's modes, or :class:`SegOutputs`.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            data_samples: As in mmseg.
            mode: One of mmseg's modes, or one of three that return :class:`SegOutputs`. ``'outputs'``: features and the
                logits of every head. ``'supervised'``: also the outputs of the heads in :func:`own_loss_levels`.
                ``'features'``: features only. It runs no head, because DDP would wait for gradients of heads whose
                outputs do not contribute to the loss.
        """
        outputs = self.outputs if self._compiled is None else partial(self._compiled, self)
        if mode == 'supervised':
            return outputs(inputs, supervised=True)
        if mode in ('outputs', 'features'):
            return outputs(inputs, logits=mode == 'outputs')
        return super().forward(inputs, data_samples, mode)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the three modes that adaptors train with; arguments are those of :func:`torch.compile`.

        Names in the state dict do not change. mmseg's modes are not compiled: images of a test can all differ in size,
        and each new size would be compiled again.
        """
        # Compile the function of the class: a bound method would keep the weights of this network in copies of it.
        self._compiled = torch.compile(type(self).outputs, *args, **kwargs)

    def outputs(self, inputs: Tensor, logits: bool = True, supervised: bool = False) -> SegOutputs:
        """Return features and the logits of every head, without upsampling.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            logits: If False, no head runs and the result has no levels.
            supervised: Add the outputs of the heads in :func:`own_loss_levels`.

        Raises:
            TypeError: If a head returns something other than one tensor, see :func:`class_logits`.
        """
        features = self.extract_feat(inputs)
        heads = self.heads() if logits else {}
        levels = [level for level in class_levels(self) if level in heads]
        own = own_loss_levels(self) if supervised else ()
        returned = {level: head(features) for level, head in heads.items() if level in levels or level in own}
        height, width = inputs.shape[-2:]
        return SegOutputs(
            logits={level: class_logits(heads[level], level, returned[level]) for level in levels},
            features=(features,) if isinstance(features, Tensor) else tuple(features),
            size=(height, width),
            align_corners=self.align_corners,
            head_outputs={level: returned[level] for level in own},
        )

    def heads(self) -> dict[str, nn.Module]:
        """Return the heads by level, ``main`` last.

        Read their attributes only. In training, call ``forward`` of the segmentor instead of a head.
        """
        return heads_of(self)

    @property
    def level_groups(self) -> dict[str, str]:
        """Name of each level in loss weights: ``main`` for the decode head, ``aux`` for every auxiliary head."""
        return {level: 'main' if level == 'main' else 'aux' for level in self.heads()}

    def predict(self, inputs: Tensor, data_samples: SampleList | None = None) -> SampleList:
        """Predict as mmseg does, but upsample the logits once, directly to the size of the original image.

        mmseg upsamples to the size of the network's input and from there to the size of the image, which shifts
        boundaries. Most papers evaluate with one bilinear step. Papers that build on mmseg (DAFormer) have two; set
        ``test_cfg.via_input=True`` for them. Sliding windows, padded inputs and heads with their own ``predict`` are
        predicted by mmseg's method.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            data_samples: Their meta information; the predictions are added to them.

        Returns:
            Data samples with ``seg_logits`` (C, H, W) and ``pred_sem_seg`` (1, H, W) at the size of each image.
        """
        plain = (
            self._whole_images()
            and not (self.test_cfg or {}).get('via_input', False)
            and data_samples is not None
            and not any(any(padding_of(sample)) for sample in data_samples)
        )
        if not plain:
            return super().predict(inputs, data_samples)
        return self.postprocess_result(self.decode_head(self.extract_feat(inputs)), data_samples)

    def postprocess_result(self, seg_logits: Tensor, data_samples: SampleList | None = None) -> SampleList:
        """Return data samples with logits and predictions as mmseg does, but with an argmax that is fast on a CPU too.

        Args:
            seg_logits: (N, C, h, w).
            data_samples: Meta information of the images. Without it, the result is that of mmseg.
        """
        if data_samples is None or seg_logits.shape[1] == 1:
            return super().postprocess_result(seg_logits, data_samples)
        for plane, sample in zip(seg_logits, data_samples, strict=True):
            plane = unflip(crop_padding(plane, sample), sample)
            size = tuple(sample.ori_shape)
            (logits,) = F.interpolate(plane[None], size=size, mode='bilinear', align_corners=self.align_corners)
            prediction = argmax_classes(logits)[None]
            sample.set_data(dict(seg_logits=PixelData(data=logits), pred_sem_seg=PixelData(data=prediction)))
        return data_samples

    @torch.no_grad()
    def probabilities(
        self, inputs: Tensor, data_samples: SampleList, size: str = 'image', softmax_first: bool = False
    ) -> list[Tensor]:
        """Return the class probabilities of each image, for pseudo labels.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            data_samples: Their meta information. Padding is cut off, and mirrored images (``flip``) are mirrored back.
            size: ``'image'``: the size of the original image; the argmax is that of :meth:`predict`. ``'input'``: the
                size of the network's input, at which IntraDA ranks and labels.
            softmax_first: Take the softmax before upsampling, as in SIM's labelling. Only for the size of the input.

        Returns:
            (C, H, W) float32 for each image.

        Raises:
            ValueError: If ``size`` is unknown, or ``softmax_first`` is combined with the size of the image, sliding
                windows or a head with its own ``predict``.
        """
        check_size(size)
        if softmax_first and not (size == 'input' and self._whole_images()):
            raise ValueError(
                "at='input_soft' upsamples the probabilities of whole images to the size of the input: set "
                "test_cfg.mode='whole' and use a decode head with mmseg's predict, or at='input'"
            )
        if size == 'image':
            return [pop_logits(sample).float().softmax(dim=0) for sample in self.predict(inputs, data_samples)]
        if self._whole_images():
            logits = self.decode_head(self.extract_feat(inputs))
        else:
            logits = self.inference(inputs, [sample.metainfo for sample in data_samples])
        maps = []
        for one, sample in zip(logits.float().split(1), data_samples, strict=True):
            one = one.softmax(dim=1) if softmax_first else one
            one = F.interpolate(one, size=inputs.shape[-2:], mode='bilinear', align_corners=self.align_corners)
            one = one if softmax_first else one.softmax(dim=1)
            maps.append(unflip(crop_padding(one[0], sample), sample))
        return maps

    def _whole_images(self) -> bool:
        """Return whether a prediction is the upsampled output of the decode head for the whole image."""
        return has_usual_predict(self.decode_head) and (self.test_cfg or {}).get('mode', 'whole') == 'whole'


def check_size(size: str) -> None:
    """Check that ``size`` is ``'image'`` or ``'input'``.

    Raises:
        ValueError: If it is not.
    """
    if size not in ('image', 'input'):
        raise ValueError(
            f"size={size!r}, expected 'image' (the size of the original image) or 'input' (that of the network's input)"
        )


def pop_logits(sample: SegDataSample) -> Tensor:
    """Remove the logits (C, H, W) from a prediction and return them, because they take much memory."""
    logits = sample.seg_logits.data
    del sample.seg_logits
    return logits


def padding_of(sample: SegDataSample) -> tuple[int, int, int, int]:
    """Return the padding (left, right, top, bottom) that the preprocessor added to an image, in pixels."""
    left, right, top, bottom = sample.metainfo.get(
        'img_padding_size', sample.metainfo.get('padding_size', (0, 0, 0, 0))
    )
    return left, right, top, bottom


def crop_padding(plane: Tensor, sample: SegDataSample) -> Tensor:
    """Return a map (C, H, W) at the size of the input without the padding of its image."""
    left, right, top, bottom = padding_of(sample)
    return plane[:, top : plane.shape[1] - bottom, left : plane.shape[2] - right]


def unflip(plane: Tensor, sample: SegDataSample) -> Tensor:
    """Return a map (C, H, W) of a mirrored input in the orientation of the original image."""
    if not sample.metainfo.get('flip'):
        return plane
    return plane.flip(-1 if sample.metainfo.get('flip_direction', 'horizontal') == 'horizontal' else -2)
