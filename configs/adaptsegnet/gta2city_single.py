# AdaptSegNet, single-level: the weights of the auxiliary level are zero. It still runs, as in the released code.
_base_ = './gta2city.py'
model = dict(loss_weights=dict(seg_aux=0.0, adv_aux=0.0))
test_evaluator = dict(
    paper=dict(
        name='AdaptSegNet single-level (Tsai et al. 2018)',
        per_class=[
            86.5,
            25.9,
            79.8,
            22.1,
            20.0,
            23.6,
            33.1,
            21.8,
            81.8,
            25.9,
            75.9,
            57.3,
            26.2,
            76.3,
            29.8,
            32.1,
            7.2,
            29.5,
            32.5,
        ],
        mIoU=41.4,
    )
)
