# 200,000 of 250,000 iterations for each phase of SIM. In the original, mixed precision removes the repeated listing of
# weights in the optimizer, so every weight is updated once in a step.
_base_ = './poly_250k_adversarial_single.py'
optim_wrapper = dict(segmentor=dict(optimizer=dict(type='SGD'), repeats=None))
train_cfg = dict(max_iters=200000)
