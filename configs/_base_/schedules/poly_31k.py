# Source training of FADA and SDCA: batches of 8 (two on each of four GPUs), the head at 10x the rate, poly decay over
# 31,250 iterations of which 20,000 are run.
_base_ = './sgd.py'
optim_wrapper = dict(
    segmentor=dict(optimizer=dict(lr=5e-4), paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))))
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=31251, by_epoch=False)]
train_cfg = dict(max_iters=20000, val_interval=4000)
