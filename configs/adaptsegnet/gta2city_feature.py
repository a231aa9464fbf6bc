# Feature-level adaptation, the baseline of the AdaptSegNet paper: the discriminator sees the features that the head
# reads. The released code does not have it; network and weights are the single-level ones, reconstructed from the
# paper's text.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_single.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k_adversarial_single.py',
]
model = dict(
    type='FeatureAdversary',
    discriminator=dict(type='FCDiscriminatorHead', in_channels=2048),
    loss_weights=dict(seg_main=1.0, adv_main=0.001),
)
train_cfg = dict(max_iters=150000)
test_evaluator = dict(
    paper=dict(
        name='feature-level adaptation (Tsai et al. 2018)',
        per_class=[
            83.7,
            27.6,
            75.5,
            20.3,
            19.9,
            27.4,
            28.3,
            27.4,
            79.0,
            28.4,
            70.1,
            55.1,
            20.2,
            72.9,
            22.5,
            35.7,
            8.3,
            20.6,
            23.0,
        ],
        mIoU=39.3,
    )
)
