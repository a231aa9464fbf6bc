# AdaptSegNet on VGG-16, one level. The released training script cannot train it. Schedule and weights come from the
# authors' answer in their tracker (issue 28). All layers have one learning rate and are listed once in the optimizer,
# so it is plain SGD.
_base_ = [
    '../_base_/models/deeplabv2_vgg16-d8.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k_adversarial_single.py',
]
model = dict(
    type='AdaptSegNet',
    segmentor=dict(decode_head=dict(summed=(0, 1))),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
)
optim_wrapper = dict(
    segmentor=dict(_delete_=True, optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4))
)
train_cfg = dict(max_iters=130000)
