"""mmseg's EncoderDecoder that also hands out features and every head's logits."""
from typing import List, Optional, Union

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.utils import SampleList
from torch import Tensor, nn

from .seg_outputs import SegOutputs


@MODELS.register_module()
class AdaptiveEncoderDecoder(EncoderDecoder):
    """An :class:`mmseg.models.EncoderDecoder` with one more forward mode, ``'outputs'``.

    Adaptation losses look at logits of every head and at features, on images that may have no label. The mode goes
    through ``forward`` because only that is seen by a distributed wrapper. Everything else (``loss``, ``predict``,
    ``tensor``, the arguments) is mmseg's, so any of its backbones and necks can be named, and any head that returns one map of
    logits.
    """

    def forward(self,
                inputs: Tensor,
                data_samples: Optional[SampleList] = None,
                mode: str = 'tensor') -> Union[SegOutputs, dict, List, Tensor]:
        """As in mmseg, and ``mode='outputs'`` returns :class:`SegOutputs` for images (N, 3, H, W)."""
        if mode == 'outputs':
            return self.outputs(inputs)
        return super().forward(inputs, data_samples, mode)

    def outputs(self, inputs: Tensor) -> SegOutputs:
        """Features and the logits of every head, without upsampling.

        Args:
            inputs: Normalised images, (N, 3, H, W).

        Raises:
            TypeError: If a head returns anything but one tensor.
        """
        features = self.extract_feat(inputs)
        heads = {}
        if self.with_auxiliary_head:
            if isinstance(self.auxiliary_head, nn.ModuleList):
                heads.update({f'aux_{i}': head for i, head in enumerate(self.auxiliary_head)})
            else:
                heads['aux'] = self.auxiliary_head
        heads['main'] = self.decode_head
        logits = {level: head(features) for level, head in heads.items()}
        for level, value in logits.items():
            if not isinstance(value, Tensor):
                raise TypeError(f'the {level} head, {type(heads[level]).__name__}, returns a {type(value).__name__}: adaptation '
                                'needs heads that return one map of logits (N, C, h, w)')
        return SegOutputs(
            logits=logits,
            features=tuple(features),
            size=tuple(inputs.shape[-2:]),
            align_corners=self.align_corners)

    def predict(self, inputs: Tensor, data_samples: Optional[SampleList] = None) -> SampleList:
        """As in mmseg, but logits are upsampled once, straight to the size of the original image.

        mmseg upsamples to the size of the network's input and from there to that of the image, which shifts boundaries;
        the papers evaluate with one bilinear step. Sliding windows, padded inputs and heads
        with their own ``predict`` go mmseg's way.
        """
        usual_head = type(self.decode_head).predict is BaseDecodeHead.predict
        plain = usual_head and data_samples is not None and self.test_cfg.get('mode', 'whole') == 'whole' and not any(
            any(sample.metainfo.get('img_padding_size', sample.metainfo.get('padding_size', ())))
            for sample in data_samples)
        if not plain:
            return super().predict(inputs, data_samples)
        return self.postprocess_result(self.decode_head(self.extract_feat(inputs)), data_samples)

    @torch.no_grad()
    def probabilities(self, inputs: Tensor, data_samples: SampleList, at: str = 'image') -> List[Tensor]:
        """Class probabilities of each image: what pseudo labels are made of.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            data_samples: Their meta information.
            at: ``'image'``: at the size of the original image, as :meth:`predict` has it. ``'input'``: at the size that the
                network saw, padding cut off.

        Returns:
            (C, H, W) float32 for each image.
        """
        if at == 'image':
            return [sample.seg_logits.data.float().softmax(dim=0) for sample in self.predict(inputs, data_samples)]
        logits = F.interpolate(
            self.decode_head(self.extract_feat(inputs)).float(), size=inputs.shape[-2:], mode='bilinear',
            align_corners=self.align_corners)
        sizes = [sample.metainfo.get('img_shape', inputs.shape[-2:])[:2] for sample in data_samples]
        return [logit[:, :height, :width].softmax(dim=0) for logit, (height, width) in zip(logits, sizes)]
