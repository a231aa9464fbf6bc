# SIM, GTA5 to Cityscapes (Wang et al., CVPR 2020), both phases. It needs GTA5 images translated by a CycleGAN
# (GTA5_CYCLEGAN_ROOT); gta2city_untranslated.py does without.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_single.py',
    '../_base_/datasets/gta2city_cyclegan.py',
    '../_base_/schedules/sim.py',
]
runner_type = 'StagedRunner'
model = dict(
    type='SIM',
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    prototypes=50,
    instances=10,
    gather=True,
    count_empty=False,
    loss_weights=dict(seg_main=1.0, adv_main=0.001, stuff=0.01, ins=0.01),
)
test_evaluator = dict(
    paper=dict(
        name='SIM (Wang et al. 2020)',
        per_class=[
            90.6,
            44.7,
            84.8,
            34.3,
            28.7,
            31.6,
            35.0,
            37.6,
            84.7,
            43.3,
            85.3,
            57.0,
            31.5,
            83.8,
            42.6,
            48.5,
            1.9,
            30.4,
            39.0,
        ],
        mIoU=49.2,
    )
)
