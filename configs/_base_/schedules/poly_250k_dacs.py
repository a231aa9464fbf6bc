# The whole 250,000 iterations of the poly schedule, with which DACS is trained. Its weights are listed several times
# too, but in a later PyTorch: the decay does not add up.
_base_ = './poly_250k.py'
optim_wrapper = dict(segmentor=dict(optimizer=dict(version='1.5')))
train_cfg = dict(max_iters=250000, val_interval=5000)
default_hooks = dict(checkpoint=dict(interval=5000))
