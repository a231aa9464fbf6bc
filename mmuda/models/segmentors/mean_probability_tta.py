"""Test-time augmentation that also merges the logits."""

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel
from mmseg.registry import MODELS
from mmseg.utils import SampleList

from mmuda.constants import LOG_EPSILON
from mmuda.labeling import argmax_classes


@MODELS.register_module()
class MeanProbabilityTTA(SegTTAModel):
    """Mean of the class probabilities over all augmentations of an image, then argmax.

    mmseg's TTA model merges the predictions, but its samples keep the logits of the last augmentation. Entropies and
    pictures need logits that belong to the merged prediction. Here they are the logarithms of the mean probabilities.
    """

    def merge_preds(self, data_samples_list: list[SampleList]) -> SampleList:
        """Return one data sample for each image, with ``seg_logits`` (C, H, W) and ``pred_sem_seg`` (1, H, W).

        Args:
            data_samples_list: For each image the predictions of its augmentations, with logits (C, H, W) at the size of
                the image, in its original orientation.
        """
        merged = []
        for samples in data_samples_list:
            probs = sum(sample.seg_logits.data.softmax(dim=0) for sample in samples) / len(samples)
            samples[0].set_data(
                dict(
                    seg_logits=PixelData(data=torch.log(probs + LOG_EPSILON)),
                    pred_sem_seg=PixelData(data=argmax_classes(probs)[None]),
                )
            )
            merged.append(samples[0])
        return merged
