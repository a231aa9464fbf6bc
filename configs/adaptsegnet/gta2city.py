# AdaptSegNet, multi-level, GTA5 to Cityscapes (Tsai, Hung et al., CVPR 2018).
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(
    type='AdaptSegNet',
    aux_discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    loss_weights=dict(seg_main=1.0, seg_aux=0.1, adv_main=0.001, adv_aux=0.0002),
)
train_cfg = dict(max_iters=150000)
test_evaluator = dict(
    paper=dict(
        name='AdaptSegNet multi-level (Tsai et al. 2018)',
        per_class=[
            86.5,
            36.0,
            79.9,
            23.4,
            23.3,
            23.9,
            35.2,
            14.8,
            83.4,
            33.3,
            75.6,
            58.5,
            27.6,
            73.7,
            32.5,
            35.4,
            3.9,
            30.1,
            28.1,
        ],
        mIoU=42.4,
    )
)
