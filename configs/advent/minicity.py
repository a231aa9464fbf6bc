_base_ = [
    '../_base_/models/deeplabv2_r18-d8_minicity_adversarial.py',
    '../_base_/datasets/minicity.py',
    '../_base_/schedules/minicity_adversarial.py',
]
model = dict(type='ADVENT', loss_weights=dict(adv_main=0.05))
