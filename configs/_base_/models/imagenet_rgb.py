# Networks on RGB images normalised by the statistics of ImageNet, tested on whole images. Configs that inherit it add
# the backbone and the heads.
data_preprocessor = dict(
    type='DomainPairPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
)
model = dict(
    data_preprocessor=data_preprocessor, segmentor=dict(type='AdaptiveEncoderDecoder', test_cfg=dict(mode='whole'))
)
