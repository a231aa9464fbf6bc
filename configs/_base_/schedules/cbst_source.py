# Source training of CBST's ResNet-38: a fixed rate, biases and shifts at twice the rate without weight decay. It has 30
# epochs of GTA5 in batches of 16, which one process accumulates over four iterations of 4 images. On four GPUs:
# --cfg-options optim_wrapper.accumulative_counts=1 train_cfg.max_iters=46800
_base_ = './sgd.py'
optim_wrapper = dict(
    accumulative_counts=4,
    segmentor=dict(
        optimizer=dict(lr=0.0016),
        repeats=None,
        paramwise_cfg=dict(custom_keys=dict(bias=dict(lr_mult=2.0, decay_mult=0.0))),
    ),
)
param_scheduler = []
train_cfg = dict(max_iters=187200, val_interval=20800)
