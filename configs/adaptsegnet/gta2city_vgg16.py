# AdaptSegNet on VGG-16, one level. The released training script cannot train it; schedule and weights are the authors'
# answer in their tracker (issue 28). One learning rate for all layers, each listed once: plain SGD.
_base_ = [
    '../_base_/models/deeplabv2_vgg16-d8.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k_adversarial_single.py',
]
model = dict(
    type='AdaptSegNet',
    segmentor=dict(decode_head=dict(summed=(0, 1))),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    loss_weights=dict(seg_main=1.0, adv_main=0.001),
)
optim_wrapper = dict(
    segmentor=dict(_delete_=True, optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4))
)
train_cfg = dict(max_iters=130000)
test_evaluator = dict(
    paper=dict(
        name='AdaptSegNet VGG-16 single-level (Tsai et al. 2018)',
        per_class=[
            87.3,
            29.8,
            78.6,
            21.1,
            18.2,
            22.5,
            21.5,
            11.0,
            79.7,
            29.6,
            71.3,
            46.8,
            6.5,
            80.1,
            23.0,
            26.9,
            0.0,
            10.6,
            0.3,
        ],
        mIoU=35.0,
    )
)
