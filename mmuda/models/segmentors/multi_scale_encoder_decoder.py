"""Inference as FADA does it: mean of the probabilities for several sizes of the input, mirrored ones too."""
import math
from typing import Iterator, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import SampleList
from torch import Tensor

from .adaptive_encoder_decoder import AdaptiveEncoderDecoder, check_at, turned_back, without_padding
from .bicubic_encoder_decoder import SMALLEST


@MODELS.register_module()
class MultiScaleEncoderDecoder(AdaptiveEncoderDecoder):
    r"""An :class:`AdaptiveEncoderDecoder` that predicts as FADA's code (Wang et al., ECCV 2020) does.

    .. math:: P = \frac1{|S|} \sum_{s \in S} \mathrm{softmax}(\mathrm{up}(f(\mathrm{resize}_s(x))))

    and with ``flip`` the mean with the same for the mirrored input, mirrored back. :math:`\mathrm{resize}_s` enlarges the
    *normalised input* (H, W), not the image file, bilinearly to ``(int(H * s), int(W * s))`` with aligned corners;
    :math:`\mathrm{up}` enlarges the logits straight to the size of the original image, in the corner convention of
    the decode head. The rows "FADA-MST" of the paper: ``scales=(0.7, 1.0, 1.3), flip=True``. The defaults are the
    prediction of :class:`AdaptiveEncoderDecoder`.

    Training is not changed. Images go through the network one at a time and without the padding that the preprocessor gave
    them, so that a prediction does not depend on the batch it is in; beside the result, two maps (C, H, W) at the
    size of the image are held, however many scales there are.

    Predictions are the argmax of :math:`P`, the first class winning ties. Their ``seg_logits`` are
    ``log(max(P, 1e-30))``, so that pictures, entropies and ensembles find logits as usual.

    Args:
        scales: Factors of the input's size; one that is repeated counts twice.
        flip: Predict the mirrored input too. The stages that label have a ``flip`` of their own for other networks; one
            of the two is enough.
        *args: As :class:`mmseg.models.EncoderDecoder`.
        **kwargs: As :class:`mmseg.models.EncoderDecoder`.

    Raises:
        ValueError: For no scale or one that is not a positive number, sliding windows (``test_cfg.mode``), or a head with
            its own way to predict; at prediction, for an image of which a scale leaves nothing.
    """

    def __init__(self, *args, scales: Sequence[float] = (1.0, ), flip: bool = False, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.scales, self.flip = _checked(scales), flip
        if not self._whole_images():
            raise ValueError("MultiScaleEncoderDecoder enlarges the decode head's output for whole images, but test_cfg "
                             f'is {self.test_cfg} and the decode head {type(self.decode_head).__name__}: set '
                             "test_cfg.mode='whole', or use AdaptiveEncoderDecoder for a head with its own predict")

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: Optional[SampleList] = None) -> SampleList:
        """Data samples with ``seg_logits`` (C, H, W) and ``pred_sem_seg`` (1, H, W) at the size of each image.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            data_samples: Their meta information; without, results have the size of the inputs.
        """
        if data_samples is None:
            data_samples = [SegDataSample() for _ in inputs]
        for sample, probs in zip(data_samples, self._maps(inputs, data_samples, 'image')):
            prediction = probs.argmax(dim=0, keepdim=True)
            logits = probs.clamp_(min=SMALLEST).log_()  # in place: these maps are large
            sample.set_data(dict(seg_logits=PixelData(data=logits), pred_sem_seg=PixelData(data=prediction)))
        return data_samples

    @torch.no_grad()
    def probabilities(self, inputs: Tensor, data_samples: SampleList, at: str = 'image') -> List[Tensor]:
        """As in :class:`AdaptiveEncoderDecoder`; ``at='input'``: every scale at the size of the unscaled input."""
        check_at(at)
        return list(self._maps(inputs, data_samples, at))

    def _maps(self, inputs: Tensor, data_samples: SampleList, at: str) -> Iterator[Tensor]:
        for image, sample in zip(inputs, data_samples):
            image = without_padding(image, sample)
            size = tuple(image.shape[-2:])
            if at == 'image':
                size = tuple(sample.metainfo.get('ori_shape', size)[:2])
            yield turned_back(self._mean(image[None], size), sample)

    def _mean(self, image: Tensor, size: Tuple[int, int]) -> Tensor:
        """Probabilities (C, *size) of one image (1, 3, H, W)."""
        total, count = None, 0
        for scale in self.scales:
            scaled = _scaled(image, scale)
            for mirrored in (False, True) if self.flip else (False, ):
                logits = self.decode_head(self.extract_feat(scaled.flip(-1) if mirrored else scaled)).float()
                probs = F.interpolate(logits, size, mode='bilinear', align_corners=self.align_corners).softmax(dim=1)
                if mirrored:
                    probs = probs.flip(-1)
                total = probs if total is None else total.add_(probs)
                del probs  # or it would be held while the next is made
                count += 1
        return total.div_(count)[0]


def _scaled(image: Tensor, scale: float) -> Tensor:
    """An image (1, 3, H, W) at (int(H * scale), int(W * scale))."""
    old = tuple(image.shape[-2:])
    new = tuple(int(length * scale) for length in old)
    if min(new) < 1:
        raise ValueError(f'scale {scale} leaves {new} pixels of an input of {old} (H, W): use a larger one in scales')
    if new == old:
        return image
    return F.interpolate(image, new, mode='bilinear', align_corners=True)


def _checked(scales: Sequence[float]) -> Tuple[float, ...]:
    try:
        found = tuple(float(scale) for scale in scales)
    except (TypeError, ValueError):
        found = ()
    if not found or not all(math.isfinite(scale) and scale > 0 for scale in found):
        raise ValueError(f'scales={scales!r}, expected one or several positive numbers, such as (0.7, 1.0, 1.3)')
    return found
