# AdvEnt, two levels, GTA5 to Cityscapes (Vu et al., CVPR 2019).
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(
    type='ADVENT',
    aux_discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    loss_weights=dict(seg_main=1.0, seg_aux=0.1, adv_main=0.001, adv_aux=0.0002),
)
test_evaluator = dict(
    paper=dict(
        name='AdvEnt (Vu et al. 2019)',
        per_class=[
            89.9,
            36.5,
            81.6,
            29.2,
            25.2,
            28.5,
            32.3,
            22.4,
            83.9,
            34.0,
            77.1,
            57.4,
            27.9,
            83.7,
            29.4,
            39.1,
            1.5,
            28.4,
            23.3,
        ],
        mIoU=43.8,
    )
)
