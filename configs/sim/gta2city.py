# SIM, GTA5 to Cityscapes (Wang et al., CVPR 2020), both phases. It needs GTA5 images translated by a CycleGAN
# (GTA5_CYCLEGAN_ROOT); gta2city_untranslated.py does not need them.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_single.py',
    '../_base_/datasets/gta2city_cyclegan.py',
    '../_base_/schedules/sim.py',
    '../_base_/stages/sim.py',
]
runner_type = 'StagedRunner'
model = dict(type='SIM', discriminator=dict(type='FCDiscriminatorHead', in_channels=19))
