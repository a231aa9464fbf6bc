# The budget of the demo. All methods have it on MiniCity.
_base_ = './sgd.py'
optim_wrapper = dict(
    segmentor=dict(optimizer=dict(lr=0.01), paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))))
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=1001, by_epoch=False)]
train_cfg = dict(max_iters=1000, val_interval=250)
default_hooks = dict(checkpoint=dict(interval=250))
