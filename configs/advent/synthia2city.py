# AdvEnt, SYNTHIA to Cityscapes. The recipe is the authors' answer in their tracker (issue 12): the same
# hyper-parameters with a schedule of 90,000 iterations.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(
    type='ADVENT',
    segmentor=dict(auxiliary_head=dict(num_classes=16), decode_head=dict(num_classes=16)),
    aux_discriminator=dict(type='FCDiscriminatorHead', in_channels=16),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=16),
    loss_weights=dict(seg_main=1.0, seg_aux=0.1, adv_main=0.001, adv_aux=0.0002),
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=90001, by_epoch=False)]
train_cfg = dict(max_iters=90000)
test_evaluator = dict(
    paper=dict(
        name='AdvEnt (Vu et al. 2019)',
        per_class=[87.0, 44.1, 79.7, 9.6, 0.6, 24.3, 4.8, 7.2, 80.1, 83.6, 56.4, 23.7, 72.7, 32.6, 12.8, 33.7],
        mIoU16=40.8,
        mIoU13=47.6,
    )
)
