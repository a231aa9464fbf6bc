# MinEnt, SYNTHIA to Cityscapes, with the schedule of the authors' answer for SYNTHIA (see synthia2city.py).
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/poly_250k.py',
]
model = dict(
    type='MinEnt',
    segmentor=dict(auxiliary_head=dict(num_classes=16), decode_head=dict(num_classes=16)),
    loss_weights=dict(seg_main=1.0, seg_aux=0.1, ent_main=0.001, ent_aux=0.0002),
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=90001, by_epoch=False)]
train_cfg = dict(max_iters=90000)
test_evaluator = dict(
    paper=dict(
        name='MinEnt (Vu et al. 2019)',
        per_class=[73.5, 29.2, 77.1, 7.7, 0.2, 27.0, 7.1, 11.4, 76.7, 82.1, 57.2, 21.3, 69.4, 29.2, 12.9, 27.9],
        mIoU16=38.1,
        mIoU13=44.2,
    )
)
