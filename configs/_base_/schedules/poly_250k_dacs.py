# All 250,000 iterations of the poly schedule, as DACS is trained. The released code of DACS also lists weights several
# times in the optimizer, but with a later PyTorch, in which the weight decay does not accumulate.
_base_ = './poly_250k.py'
optim_wrapper = dict(segmentor=dict(optimizer=dict(version='1.5')))
train_cfg = dict(max_iters=250000, val_interval=5000)
default_hooks = dict(checkpoint=dict(interval=5000))
