# The budget of all methods from CARLA to CamVid: 800 iterations of 2 + 2 images in all trainings together.
_base_ = './sgd.py'
optim_wrapper = dict(
    segmentor=dict(
        optimizer=dict(_delete_=True, type='AdamW', lr=4e-4, betas=(0.9, 0.999), weight_decay=0.01),
        paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=5.0), neck=dict(lr_mult=5.0))),
    )
)
param_scheduler = [
    dict(type='WarmupPolyLR', power=0.9, eta_min=0.0, warmup=50, warmup_ratio=0.01, begin=0, end=801, by_epoch=False)
]
train_cfg = dict(max_iters=800, val_interval=800)
default_hooks = dict(checkpoint=dict(interval=200, max_keep_ckpts=1))
# Overrides for stages that have half of the budget, or one of the later quarters.
half = dict(train_cfg=dict(max_iters=400, val_interval=400), param_scheduler=[dict(param_scheduler[0], end=401)])
quarter = dict(
    optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=2e-4))),
    train_cfg=dict(max_iters=200, val_interval=200),
    param_scheduler=[dict(param_scheduler[0], end=201)],
    default_hooks=dict(checkpoint=dict(interval=200)),
)
