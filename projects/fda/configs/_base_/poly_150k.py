# SGD of FDA: poly decay over 150,000 iterations, of which 100,100 are run: the released loop checks only every hundred
# iterations whether it has passed 100,000. A clean optimizer: segmentor=dict(optimizer=dict(type='SGD'), repeats=None).
_base_ = '../../../../configs/_base_/schedules/sgd.py'
optim_wrapper = dict(
    segmentor=dict(
        optimizer=dict(type='LegacySGD', lr=2.5e-4),
        repeats='backbone',
        paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))),
    )
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=150001, by_epoch=False)]
train_cfg = dict(max_iters=100100, val_interval=10000)
default_hooks = dict(checkpoint=dict(interval=2500))
