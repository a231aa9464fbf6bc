# AdaptSegNet, single-level with least-squares GAN losses, Synscapes to Cityscapes: the settings of
# gta2city_single_lsgan. The authors released a model for this pair; its figure is not known to us.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_adversarial.py',
    '../_base_/datasets/synscapes2city.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(type='AdaptSegNet', gan='least_squares', loss_weights=dict(seg_aux=0.0, adv_main=0.01, adv_aux=0.0))
train_cfg = dict(max_iters=150000)
