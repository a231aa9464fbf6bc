# SGD of AdaptSegNet and ADVENT: heads at 10x the rate of the backbone, poly decay over 250k iterations, of which only
# the first are run. LegacySGD with `repeats` reproduces the duplicate listing of the backbone's weights in the released
# code, with which the published numbers were trained. A clean optimizer: segmentor=dict(optimizer=dict(type='SGD'),
# repeats=None).
_base_ = './sgd.py'
optim_wrapper = dict(
    segmentor=dict(
        optimizer=dict(type='LegacySGD', lr=2.5e-4),
        repeats='backbone',
        paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0), auxiliary_head=dict(lr_mult=10.0))),
    )
)
# lr(i) = base * (1 - i / 250000)^0.9: mmengine's `end` is one step after the last.
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=250001, by_epoch=False)]
train_cfg = dict(max_iters=120000, val_interval=10000)
