# AdaptSegNet, single-level with least-squares GAN losses (appendix of the paper's second version).
_base_ = './gta2city_single.py'
model = dict(gan='least_squares', loss_weights=dict(adv_main=0.01))
test_evaluator = dict(
    paper=dict(
        name='AdaptSegNet single-level LS-GAN (Tsai et al. 2018)',
        per_class=[
            91.4,
            48.4,
            81.2,
            27.4,
            21.2,
            31.2,
            35.3,
            16.1,
            84.1,
            32.5,
            78.2,
            57.7,
            28.2,
            85.9,
            33.8,
            43.5,
            0.2,
            23.9,
            16.9,
        ],
        mIoU=44.1,
    )
)
