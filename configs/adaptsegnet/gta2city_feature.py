# Feature-level adaptation, the baseline of the AdaptSegNet paper: the discriminator gets the features that the head
# reads. The released code does not have it. It is reconstructed from the paper's text, with the network and the loss
# weights of the single-level method.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_single.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k_adversarial_single.py',
]
model = dict(type='FeatureAdversary', discriminator=dict(type='FCDiscriminatorHead', in_channels=2048))
train_cfg = dict(max_iters=150000)
