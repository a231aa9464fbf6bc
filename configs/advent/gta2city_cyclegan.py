# AdvEnt on GTA5 images that a CycleGAN has translated; you provide them in GTA5_CYCLEGAN_ROOT/images.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_adversarial.py',
    '../_base_/datasets/gta2city_cyclegan.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(type='ADVENT')
