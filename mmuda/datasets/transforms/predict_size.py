"""Evaluation at the size of resized label maps."""

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PredictAtLabelSize(BaseTransform):
    """A transform that gives a prediction the size of the label map, which was resized together with its image.

    DACS evaluates in this way, with images and labels of Cityscapes at 1024x512. Without this step, predictions have
    the size of the image file, and labels must be loaded after ``Resize``. For images without a label, as in inference,
    predictions keep the size of the file.

    Changes ``ori_shape`` (H, W), to which mmseg resizes predictions.
    """

    def transform(self, results: dict) -> dict:
        """Set the size of the prediction."""
        if results.get('gt_seg_map') is not None:
            results['ori_shape'] = results['gt_seg_map'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
