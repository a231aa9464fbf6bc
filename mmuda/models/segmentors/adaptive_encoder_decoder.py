"""mmseg's EncoderDecoder that also hands out features and every head's logits."""

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmuda.internals import has_usual_predict

from .seg_outputs import SegOutputs


@MODELS.register_module()
class AdaptiveEncoderDecoder(EncoderDecoder):
    """An :class:`mmseg.models.EncoderDecoder` with two more forward modes, ``'outputs'`` and ``'features'``.

    Adaptation losses look at logits of every head and at features, on images that may have no label. The modes go
    through ``forward`` because only that is seen by a distributed wrapper. Everything else (``loss``, ``predict``,
    ``tensor``, the arguments) is mmseg's, so any of its backbones and necks can be named, and any head that returns one
    map of logits.
    """

    def forward(
        self, inputs: Tensor, data_samples: SampleList | None = None, mode: str = 'tensor'
    ) -> SegOutputs | dict | list | Tensor:
        """As in mmseg, and for images (N, 3, H, W) these modes return :class:`SegOutputs`.

        ``'outputs'``: features and logits of every head. ``'features'``: features alone, no head is run, for losses
        that need no logits (a distributed wrapper waits for the gradients of all that took part).
        """
        if mode in ('outputs', 'features'):
            return self.outputs(inputs, logits=mode == 'outputs')
        return super().forward(inputs, data_samples, mode)

    def outputs(self, inputs: Tensor, logits: bool = True) -> SegOutputs:
        """Features and the logits of every head, without upsampling.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            logits: False runs no head: there are no levels then.

        Raises:
            TypeError: If a head returns anything but one tensor.
        """
        features = self.extract_feat(inputs)
        heads = self.heads() if logits else {}
        by_level = {level: head(features) for level, head in heads.items()}
        for level, value in by_level.items():
            if not isinstance(value, Tensor):
                raise TypeError(
                    f'the {level} head, {type(heads[level]).__name__}, returns a {type(value).__name__}: adaptation '
                    'needs heads that return one map of logits (N, C, h, w)'
                )
        return SegOutputs(
            logits=by_level, features=tuple(features), size=tuple(inputs.shape[-2:]), align_corners=self.align_corners
        )

    def heads(self) -> dict[str, nn.Module]:
        """Heads by level, ``main`` last; to look at, not to call during training."""
        heads = {}
        if self.with_auxiliary_head:
            if isinstance(self.auxiliary_head, nn.ModuleList):
                heads.update({f'aux_{i}': head for i, head in enumerate(self.auxiliary_head)})
            else:
                heads['aux'] = self.auxiliary_head
        heads['main'] = self.decode_head
        return heads

    def predict(self, inputs: Tensor, data_samples: SampleList | None = None) -> SampleList:
        """As in mmseg, but logits are upsampled once, straight to the size of the original image.

        mmseg upsamples to the size of the network's input and from there to that of the image, which shifts boundaries;
        the papers evaluate with one bilinear step. Sliding windows, padded inputs and heads
        with their own ``predict`` go mmseg's way.
        """
        plain = (
            self._whole_images()
            and data_samples is not None
            and not any(any(padding_of(sample)) for sample in data_samples)
        )
        if not plain:
            return super().predict(inputs, data_samples)
        return self.postprocess_result(self.decode_head(self.extract_feat(inputs)), data_samples)

    @torch.no_grad()
    def probabilities(self, inputs: Tensor, data_samples: SampleList, at: str = 'image') -> list[Tensor]:
        """Class probabilities of each image: what pseudo labels are made of.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            data_samples: Their meta information. Padding is cut off, and mirrored images (``flip``) are turned back.
            at: ``'image'``: at the size of the original image, with the argmax of :meth:`predict`. ``'input'``: at the
                size of the network's input; IntraDA ranks and labels there. ``'input_soft'``: there too, but the
                softmax comes first and probabilities are upsampled, as SIM labels.

        Returns:
            (C, H, W) float32 for each image.

        Raises:
            ValueError: For another ``at``; for ``'input_soft'`` with sliding windows or a head with its own
                ``predict``.
        """
        check_at(at, 'input_soft')
        if at == 'image':
            return [take_logits(sample).float().softmax(dim=0) for sample in self.predict(inputs, data_samples)]
        if self._whole_images():
            logits = self.decode_head(self.extract_feat(inputs))
        elif at == 'input_soft':
            raise ValueError(
                "at='input_soft' upsamples the probabilities of whole images: set test_cfg.mode='whole' and use a "
                "decode head without a predict of its own, or at='input'"
            )
        else:
            logits = self.inference(inputs, [sample.metainfo for sample in data_samples])
        maps = []
        for one, sample in zip(logits.float().split(1), data_samples, strict=True):
            one = one.softmax(dim=1) if at == 'input_soft' else one
            one = F.interpolate(one, size=inputs.shape[-2:], mode='bilinear', align_corners=self.align_corners)
            one = one if at == 'input_soft' else one.softmax(dim=1)
            maps.append(turned_back(without_padding(one[0], sample), sample))
        return maps

    def _whole_images(self) -> bool:
        """Whether a prediction is the upsampled output of the decode head for the whole image, and nothing else."""
        return has_usual_predict(self.decode_head) and (self.test_cfg or {}).get('mode', 'whole') == 'whole'


def check_at(at: str, *more: str) -> None:
    """Refuse a resolution of probabilities that does not exist; some segmentors know more of them."""
    if at not in ('image', 'input', *more):
        raise ValueError(
            f"at={at!r}, expected 'image' (the size of the original image) or 'input' (that of the "
            f"network's input){''.join(f', or {name!r}' for name in more)}"
        )


def take_logits(sample: SegDataSample) -> Tensor:
    """The logits (C, H, W) of a prediction, which no longer keeps them: those of all images are large."""
    logits = sample.seg_logits.data
    del sample.seg_logits
    return logits


def padding_of(sample: SegDataSample) -> tuple[int, int, int, int]:
    """Padding (left, right, top, bottom) that the preprocessor gave an image."""
    return tuple(sample.metainfo.get('img_padding_size', sample.metainfo.get('padding_size', (0, 0, 0, 0))))


def without_padding(plane: Tensor, sample: SegDataSample) -> Tensor:
    """A map (C, H, W) at the size of the input without what was padded there."""
    left, right, top, bottom = padding_of(sample)
    return plane[:, top : plane.shape[1] - bottom, left : plane.shape[2] - right]


def turned_back(plane: Tensor, sample: SegDataSample) -> Tensor:
    """A map (C, H, W) of a mirrored input as the original image has it."""
    if not sample.metainfo.get('flip'):
        return plane
    return plane.flip(-1 if sample.metainfo.get('flip_direction', 'horizontal') == 'horizontal' else -2)
