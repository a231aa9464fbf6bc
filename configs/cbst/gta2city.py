# CBST, GTA5 to Cityscapes, on the network that is there: ResNet-101. The paper's own is ResNet-38.
_base_ = './gta2city_r101.py'
test_evaluator = dict(
    paper=dict(
        name='CBST, ResNet-38 (Zou et al. 2018)',
        per_class=[86.8, 46.7, 76.9, 26.3, 24.8, 42.0, 46.0, 38.6, 80.7, 15.7, 48.0, 57.3, 27.9, 78.2, 24.5, 49.6, 17.7,
                   25.5, 45.1],
        mIoU=45.2))
