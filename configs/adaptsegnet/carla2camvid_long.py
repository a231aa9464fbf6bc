# Twice the budget of carla2camvid.py: 1600 iterations.
_base_ = './carla2camvid.py'
param_scheduler = [dict(_base_.param_scheduler[0], end=1601)]
train_cfg = dict(max_iters=1600, val_interval=1600)
