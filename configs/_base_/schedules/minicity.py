_base_ = '../default_runtime.py'
optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    precision=None,
    accumulative_counts=1,
    segmentor=dict(
        optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=5e-4),
        paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))),
    ),
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=601, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=600, val_interval=200)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(checkpoint=dict(interval=200))
