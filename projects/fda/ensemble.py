"""Prediction with several networks as FDA evaluates them."""

from collections.abc import Iterator, Sequence

import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import SampleList
from torch import Tensor

from mmuda.constants import LOG_EPSILON
from mmuda.models import LogitEnsemble
from mmuda.models.segmentors.adaptive_encoder_decoder import crop_padding, unflip
from mmuda.models.segmentors.probability_encoder_decoder import ProbabilityEncoderDecoder


@MODELS.register_module()
class SoftEncoderDecoder(ProbabilityEncoderDecoder):
    """Segmentor that enlarges probabilities to the size of the image, not logits.

    The released code of FDA evaluates in this way. Its pseudo labels come from probabilities at the size of the
    network's input, which are the softmax of enlarged logits.
    """

    def probability_maps(self, inputs: Tensor, data_samples: SampleList, size: str) -> Iterator[Tensor]:
        for padded, sample in zip(inputs, data_samples, strict=True):
            image = crop_padding(padded, sample)[None]
            logits = self.decode_head(self.extract_feat(image)).float()
            if size == 'input':
                probs = self._enlarge(logits, image.shape[-2:]).softmax(dim=1)
            else:
                probs = self._enlarge(logits.softmax(dim=1), sample.metainfo.get('ori_shape', image.shape[-2:])[:2])
            yield unflip(probs[0], sample)

    def _enlarge(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        return F.interpolate(maps, tuple(size), mode='bilinear', align_corners=self.align_corners)


@MODELS.register_module()
class ProbabilityEnsemble(LogitEnsemble):
    """Weighted mean of the probabilities of several networks, then argmax (FDA's multi-band transfer).

    Arguments are those of :class:`LogitEnsemble`. ``seg_logits`` of the result are logarithms of the mean.
    """

    def vote(self, sample: SegDataSample) -> Tensor:
        """Return the probabilities (C, H, W) of a network."""
        return sample.seg_logits.data.float().softmax(dim=0)

    def logits(self, total: Tensor) -> Tensor:
        """Return the logarithm of mean probabilities (C, H, W)."""
        return total.clamp_(min=LOG_EPSILON).log_()
