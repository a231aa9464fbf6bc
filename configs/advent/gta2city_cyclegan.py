# AdvEnt on GTA5 images that a CycleGAN has translated; you provide them in GTA5_CYCLEGAN_ROOT/images.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/gta2city_cyclegan.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(
    type='ADVENT',
    aux_discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    loss_weights=dict(seg_main=1.0, seg_aux=0.1, adv_main=0.001, adv_aux=0.0002),
)
test_evaluator = dict(paper=dict(name='AdvEnt on translated images (README of Vu et al. 2019)', mIoU=46.3))
