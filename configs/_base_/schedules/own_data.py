# Schedule of the configs that tools/new_pair.py writes: AdamW with a warm-up, then polynomial decay. Heads have a
# higher rate than the backbone. Length, warm-up and intervals are in the config that the tool writes.
_base_ = './sgd.py'
optim_wrapper = dict(
    segmentor=dict(
        optimizer=dict(_delete_=True, type='AdamW', lr=2e-4, betas=(0.9, 0.999), weight_decay=0.01),
        paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=5.0))),
    )
)
param_scheduler = [
    dict(type='WarmupPolyLR', power=0.9, eta_min=0.0, warmup=100, warmup_ratio=0.01, begin=0, end=10001, by_epoch=False)
]
train_cfg = dict(max_iters=10000, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=1000))
