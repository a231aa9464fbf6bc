# AdaptSegNet, multi-level, SYNTHIA to Cityscapes. The released code has no SYNTHIA loader; the paper reports 13
# classes.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(
    type='AdaptSegNet',
    segmentor=dict(auxiliary_head=dict(num_classes=16), decode_head=dict(num_classes=16)),
    aux_discriminator=dict(type='FCDiscriminatorHead', in_channels=16),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=16),
    loss_weights=dict(seg_main=1.0, seg_aux=0.1, adv_main=0.001, adv_aux=0.0002),
)
train_cfg = dict(max_iters=150000)
test_evaluator = dict(
    paper=dict(
        name='AdaptSegNet multi-level (Tsai et al. 2018)',
        per_class={
            'road': 84.3,
            'sidewalk': 42.7,
            'building': 77.5,
            'traffic light': 4.7,
            'traffic sign': 7.0,
            'vegetation': 77.9,
            'sky': 82.5,
            'person': 54.3,
            'rider': 21.0,
            'car': 72.3,
            'bus': 32.2,
            'motorcycle': 18.9,
            'bicycle': 32.3,
        },
        mIoU13=46.7,
    )
)
