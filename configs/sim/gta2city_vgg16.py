# SIM on VGG-16, GTA5 translated by a CycleGAN to Cityscapes. The released code cannot train it: settings are those of
# ResNet-101, one learning rate for all layers as AdaptSegNet's VGG-16 has it.
_base_ = [
    '../_base_/models/deeplabv2_vgg16-d8.py',
    '../_base_/datasets/gta2city_cyclegan.py',
    '../_base_/schedules/sim.py',
]
runner_type = 'StagedRunner'
optim_wrapper = dict(
    segmentor=dict(_delete_=True, optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4))
)
model = dict(
    type='SIM',
    segmentor=dict(decode_head=dict(summed=(0, 1))),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    loss_weights=dict(seg_main=1.0, adv_main=0.001, stuff=0.01, ins=0.01),
)
test_evaluator = dict(
    paper=dict(
        name='SIM VGG-16 (Wang et al. 2020)',
        per_class=[
            88.1,
            35.8,
            83.1,
            25.8,
            23.9,
            29.2,
            28.8,
            28.6,
            83.0,
            36.7,
            82.3,
            53.7,
            22.8,
            82.3,
            26.4,
            38.6,
            0.0,
            19.6,
            17.1,
        ],
        mIoU=42.4,
    )
)
