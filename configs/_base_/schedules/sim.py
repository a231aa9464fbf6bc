# 200,000 of 250,000 iterations for each phase of SIM. Mixed precision saved the originals from listing weights twice:
# every weight makes one step.
_base_ = './poly_250k_adversarial_single.py'
optim_wrapper = dict(segmentor=dict(optimizer=dict(type='SGD'), repeats=None))
train_cfg = dict(max_iters=200000)
