# CBST, SYNTHIA to Cityscapes, on the network that is there: ResNet-101. The paper's own is ResNet-38.
_base_ = './synthia2city_r101.py'
test_evaluator = dict(
    paper=dict(
        name='CBST, ResNet-38 (Zou et al. 2018)',
        per_class=[53.6, 23.7, 75.0, 12.5, 0.3, 36.4, 23.5, 26.3, 84.8, 74.7, 67.2, 17.5, 84.5, 28.4, 15.2, 55.8],
        mIoU16=42.5,
        mIoU13=48.5))
